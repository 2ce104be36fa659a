import { type StoredRelease, releasesIn } from '../../adapters/helm.ts';
import { isNamespaced, kindInfo, ownableKinds } from '../../adapters/kinds.ts';
import { HOME_ANNOTATION, MANAGED_BY_LABEL, OWN_SELECTOR, PART_OF, PART_OF_LABEL } from '../../core/labels.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../../core/types.ts';
import { LEASE } from '../state/lock.ts';
import { namespacesOfInstallation } from '../state/namespaces.ts';
import { withNamespace } from '../steps/compare.ts';
import { isOurRelease } from '../steps/ownership.ts';
import type { ApplyContext } from '../steps/types.ts';

/** What `uninstall` will delete; shown before it acts. */
export interface RemovalPlan {
  releases: { name: string; namespace: string }[];
  /** Custom resources; deleted before their operators. */
  resources: ObjectRef[];
  /** Other objects that we applied ourselves and that hold no data. */
  objects: ObjectRef[];
  /** Claims, the Secrets that their data need, and CRDs, whose deletion would delete every object of their kind. */
  data: ObjectRef[];
  /** Our namespaces without objects of others; the home is last. */
  namespaces: ObjectRef[];
  /** Our namespaces that are kept, because they contain objects of others. */
  held: ObjectRef[];
  /** Objects of others in our namespaces. */
  foreign: string[];
}

export type Scope = Pick<ApplyContext, 'kube' | 'namespace'>;

const DATA_KINDS = new Set(['PersistentVolumeClaim', 'Secret', 'CustomResourceDefinition']);

export const isLease = (object: KubeObject): boolean => object.kind === 'Lease' && object.metadata.name === LEASE;

/** Everything with our label, in the namespaces or of this installation. @throws KubeError for a failed list */
export async function ownObjects({ kube, namespace: home }: Scope, namespaces: string[]): Promise<KubeObject[]> {
  const lists = await Promise.all(
    ownableKinds().flatMap((kind) =>
      (isNamespaced(kind) ? namespaces : [undefined]).map((namespace) => kube.list(kind, namespace, OWN_SELECTOR)),
    ),
  );
  return lists
    .flat()
    .filter(
      (object) =>
        isNamespaced(object.kind) || object.kind === 'PersistentVolume' || belongsTo(object, home, namespaces),
    );
}

/** A cluster may have several installations: cluster-scoped objects have the home in their name or in an annotation. */
function belongsTo(object: KubeObject, home: string, namespaces: string[]): boolean {
  const { name, annotations } = object.metadata;
  if (object.kind === 'Namespace') return namespaces.includes(name);
  // helm's annotation first: names of "obs" and "obs-2" share a prefix.
  const owner = annotations?.['meta.helm.sh/release-namespace'];
  if (owner !== undefined) return namespaces.includes(owner);
  return annotations?.[HOME_ANNOTATION] === undefined
    ? name.startsWith(`${home}-`)
    : annotations[HOME_ANNOTATION] === home;
}

/** Finds what an installation consists of; reads only. @throws KubeError */
export async function planRemoval(scope: Scope): Promise<RemovalPlan> {
  const namespaces = await namespacesOfInstallation(scope);
  const all = [...(await releasesIn(scope.kube, namespaces)).values()];
  const releases = all.filter(isOurRelease);
  const shared = new Set(all.filter((one) => !releases.includes(one)).map((one) => one.namespace));
  const ids = new Set(releases.map(releaseId));
  const outliving = new Set(releases.flatMap((one) => objectsOutliving(one).map(refText)));
  const own = (await ownObjects(scope, namespaces)).filter(
    (one) => !hasOwner(one) && (isApplied(one) || isOrphan(one, ids)),
  );
  const found = own.filter((one) => one.kind === 'Namespace');
  const rest = own.filter((one) => one.kind !== 'Namespace' && !isLease(one));
  const others = (await Promise.all(found.map((one) => foreignObjects(scope, one.metadata.name, ids)))).flat();
  const unknown = others.filter((one) => !outliving.has(refText(refOf(one))));
  const hooks = unknown.filter((one) => isLostHook(one, shared));
  const foreign = unknown.filter((one) => !hooks.includes(one));
  const occupied = new Set(foreign.map((one) => one.metadata.namespace));
  const isCustom = (one: KubeObject): boolean => kindInfo(one.kind).custom === true;
  const free = found.filter((one) => !occupied.has(one.metadata.name)).map(refOf);
  return {
    releases: releases.map(({ name, namespace }) => ({ name, namespace })),
    resources: rest.filter(isCustom).map(refOf),
    objects: [...hooks, ...rest.filter((one) => !DATA_KINDS.has(one.kind) && !isCustom(one))].map(refOf),
    data: rest.filter((one) => DATA_KINDS.has(one.kind)).map(refOf),
    namespaces: free.toSorted((a, b) => Number(a.name === scope.namespace) - Number(b.name === scope.namespace)),
    held: found.filter((one) => occupied.has(one.metadata.name)).map(refOf),
    foreign: foreign.map((one) => refText(refOf(one))),
  };
}

export const releaseId = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

/** Applied by us, not by helm. CRDs keep the managed-by label of their chart. */
function isApplied(object: KubeObject): boolean {
  const { labels = {}, annotations = {} } = object.metadata;
  return (
    labels[MANAGED_BY_LABEL] === PART_OF ||
    (object.kind === 'CustomResourceDefinition' && annotations[HOME_ANNOTATION] !== undefined)
  );
}

/** Operators copy labels of a resource to the objects that it owns; those are deleted with it. */
const hasOwner = ({ metadata }: KubeObject): boolean => (metadata.ownerReferences ?? []).length > 0;

/** Created by a helm release whose record no longer exists: left by a crash during a recovery. */
function isOrphan({ metadata: { annotations = {} } }: KubeObject, releases: Set<string>): boolean {
  const release = annotations['meta.helm.sh/release-name'];
  return release !== undefined && !releases.has(`${annotations['meta.helm.sh/release-namespace'] ?? ''}/${release}`);
}

/** Left by a hook of a release without a record. With releases of others in the namespace it may be theirs. */
const isLostHook = ({ metadata: { annotations = {}, namespace = '' } }: KubeObject, shared: Set<string>): boolean =>
  annotations['helm.sh/hook'] !== undefined && !shared.has(namespace);

/** Objects of our namespace that neither we, nor Kubernetes, nor one of our controllers created. */
async function foreignObjects({ kube }: Scope, namespace: string, releases: Set<string>): Promise<KubeObject[]> {
  const kinds = [...ownableKinds().filter(isNamespaced), 'Pod'];
  const lists = await Promise.all(kinds.map((kind) => kube.list(kind, namespace)));
  return lists.flat().filter((one) => !isOursOrSystem(one, releases));
}

/** Leader election leases of the operators that profiles install. */
const LEADERS = /\.opentelemetry\.io$|^cert-manager-|alloy-operator/;

function isOursOrSystem(object: KubeObject, releases: Set<string>): boolean {
  const { labels = {}, name, namespace = '', annotations = {} } = object.metadata;
  if (labels[PART_OF_LABEL] === PART_OF || hasOwner(object)) return true;
  const release = annotations['meta.helm.sh/release-name'];
  if (release && releases.has(`${annotations['meta.helm.sh/release-namespace'] ?? ''}/${release}`)) return true;
  switch (object.kind) {
    case 'Secret':
      return (
        (labels['owner'] === 'helm' && releases.has(`${namespace}/${labels['name'] ?? ''}`)) ||
        // The webhook of cert-manager signs its own certificate.
        (annotations['cert-manager.io/allow-direct-injection'] === 'true' &&
          releases.has(`${namespace}/cert-manager`)) ||
        object['type'] === 'kubernetes.io/service-account-token'
      );
    case 'Lease':
      return LEADERS.test(name);
    case 'ConfigMap':
      return name === 'kube-root-ca.crt';
    case 'ServiceAccount':
      return name === 'default';
    default:
      return false;
  }
}

/** Objects that remain when helm removes a release: those of its hooks, and the Secrets of its Certificates. */
export function objectsOutliving(release: StoredRelease): ObjectRef[] {
  const { objects, hooks } = release.payload();
  const secrets = objects.flatMap(({ kind, metadata: { namespace }, spec }): KubeObject[] => {
    const name = kind === 'Certificate' ? (spec as { secretName?: string } | undefined)?.secretName : undefined;
    return name ? [{ apiVersion: 'v1', kind: 'Secret', metadata: { name, ...(namespace ? { namespace } : {}) } }] : [];
  });
  return removedRefs(release, [...hooks, ...secrets]);
}

/** References of a release's objects, without those that helm is asked to keep. */
export function removedRefs({ namespace }: StoredRelease, objects: KubeObject[]): ObjectRef[] {
  return objects
    .filter(({ metadata: { annotations = {} } }) => annotations['helm.sh/resource-policy'] !== 'keep')
    .map((object) => refOf(withNamespace(object, namespace)));
}

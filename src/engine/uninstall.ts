import { type StoredRelease, releasesIn } from '../adapters/helm.ts';
import type { Kube } from '../adapters/kube.ts';
import { isNamespaced, kindInfo, ownableKinds } from '../adapters/kinds.ts';
import { claimNames } from '../parts/catalog.ts';
import { ObsError } from '../core/errors.ts';
import { HOME_ANNOTATION, MANAGED_BY_LABEL, OWN_SELECTOR, PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import type { Hands } from './apply.ts';
import type { Emit } from './events.ts';
import { isOurRelease } from './foreign.ts';
import { gone, until } from './gone.ts';
import { JOURNAL } from './journal.ts';
import { LEASE } from './lock.ts';
import { namespacesOfInstallation } from './namespaces.ts';
import { placed } from './observe.ts';

/** What `uninstall` will touch; shown before it acts. */
export interface RemovalPlan {
  releases: { name: string; namespace: string }[];
  /** What operators make other things of: gone before the operators are. */
  resources: ObjectRef[];
  /** Further objects that we applied ourselves and that hold no data. */
  objects: ObjectRef[];
  /** Claims, the secrets that their data need, and definitions, whose removal would remove every object of their kind. */
  data: ObjectRef[];
  /** Those of our namespaces that hold nothing of others; the home is the last. */
  namespaces: ObjectRef[];
  /** Those of our namespaces that are kept, because they do. */
  held: ObjectRef[];
  /** Objects of others in our namespaces. */
  foreign: string[];
}

/** Names of the claims that an installation can have. */
const CLAIMS = claimNames();

const DATA_KINDS = new Set(['PersistentVolumeClaim', 'Secret', 'CustomResourceDefinition']);

type Look = Pick<Hands, 'kube' | 'namespace'>;

/** Everything that carries our label, cluster-wide for cluster-scoped kinds. @throws KubeError when a kind cannot be listed: "could not look" is not "nothing there" */
export async function ownObjects(look: Look, namespaces: string[]): Promise<KubeObject[]> {
  const lists = await Promise.all(
    ownableKinds().flatMap((kind) =>
      (isNamespaced(kind) ? namespaces : [undefined]).map((namespace) => look.kube.list(kind, namespace, OWN_SELECTOR)),
    ),
  );
  return lists
    .flat()
    .filter(
      (object) =>
        isNamespaced(object.kind) ||
        object.kind === 'PersistentVolume' ||
        belongsTo(object, look.namespace, namespaces),
    );
}

/** Two installations may live in one cluster: cluster-scoped objects are named after their home, or name it. */
function belongsTo(object: KubeObject, home: string, namespaces: string[]): boolean {
  const { name, annotations } = object.metadata;
  if (object.kind === 'Namespace') return namespaces.includes(name);
  // helm's own word first: the namespaces "obs" and "obs-2" begin alike.
  const owner = annotations?.['meta.helm.sh/release-namespace'];
  if (owner !== undefined) return namespaces.includes(owner);
  return annotations?.[HOME_ANNOTATION] === undefined
    ? name.startsWith(`${home}-`)
    : annotations[HOME_ANNOTATION] === home;
}

export async function planRemoval(look: Look): Promise<RemovalPlan> {
  const places = await namespacesOfInstallation(look);
  const all = [...(await releasesIn(look.kube, places)).values()];
  const releases = all.filter(isOurRelease);
  const shared = new Set(all.filter((r) => !releases.includes(r)).map((r) => r.namespace));
  const names = new Set(releases.map(releaseId));
  const ending = new Set(releases.flatMap((release) => outliving(release).map(refText)));
  const own = (await ownObjects(look, places)).filter((o) => !isOfOperator(o) && (isApplied(o) || isOrphan(o, names)));
  const found = own.filter((o) => o.kind === 'Namespace');
  const rest = own.filter((o) => o.kind !== 'Namespace' && !(o.kind === 'Lease' && o.metadata.name === LEASE));
  const others = (await Promise.all(found.map((o) => foreignObjects(look, o.metadata.name, names)))).flat();
  const unknown = others.filter((o) => !ending.has(refText(refOf(o))));
  const hooks = unknown.filter((o) => isLostHook(o, shared));
  const foreign = unknown.filter((o) => !hooks.includes(o));
  const kept = new Set(foreign.map((o) => o.metadata.namespace));
  const free = found.filter((o) => !kept.has(o.metadata.name)).map(refOf);
  return {
    releases: releases.map(({ name, namespace }) => ({ name, namespace })),
    resources: rest.filter((o) => kindInfo(o.kind).custom).map(refOf),
    objects: [...hooks, ...rest.filter((o) => !DATA_KINDS.has(o.kind) && !kindInfo(o.kind).custom)].map(refOf),
    data: rest.filter((o) => DATA_KINDS.has(o.kind)).map(refOf),
    namespaces: free.toSorted((a, b) => Number(a.name === look.namespace) - Number(b.name === look.namespace)),
    held: found.filter((o) => kept.has(o.metadata.name)).map(refOf),
    foreign: foreign.map((o) => refText(refOf(o))),
  };
}

const releaseId = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

/** By us, not by helm: definitions keep what their chart says of managed-by. */
function isApplied(object: KubeObject): boolean {
  const { labels = {}, annotations = {} } = object.metadata;
  return (
    labels[MANAGED_BY_LABEL] === PART_OF ||
    (object.kind === 'CustomResourceDefinition' && annotations[HOME_ANNOTATION] !== undefined)
  );
}

/** Operators copy the labels of a resource to what they make of it; that goes with the resource. */
function isOfOperator({ metadata }: KubeObject): boolean {
  return (metadata.ownerReferences ?? []).length > 0;
}

/** helm made it, and helm's record of it is gone: what a crash in the middle of a recovery leaves. */
function isOrphan(object: KubeObject, releases: Set<string>): boolean {
  const { annotations = {} } = object.metadata;
  const release = annotations['meta.helm.sh/release-name'];
  return release !== undefined && !releases.has(`${annotations['meta.helm.sh/release-namespace'] ?? ''}/${release}`);
}

/** What a hook left whose release's record is gone: helm has no other word of its owner. Where others have releases, too, it may be theirs. */
function isLostHook({ metadata: { annotations = {}, namespace = '' } }: KubeObject, shared: Set<string>): boolean {
  return annotations['helm.sh/hook'] !== undefined && !shared.has(namespace);
}

/** Objects of a namespace of ours that neither we, nor Kubernetes, nor a controller of ours made. */
async function foreignObjects(look: Look, namespace: string, releases: Set<string>): Promise<KubeObject[]> {
  const kinds = [...ownableKinds().filter(isNamespaced), 'Pod'];
  const lists = await Promise.all(kinds.map((kind) => look.kube.list(kind, namespace)));
  return lists.flat().filter((o) => !isOursOrSystems(o, releases));
}

/** Leader election of the operators that profiles install; any other lease is somebody's. */
const LEADERS = /\.opentelemetry\.io$|^cert-manager-|alloy-operator/;

function isOursOrSystems(object: KubeObject, releases: Set<string>): boolean {
  const { labels = {}, name, namespace = '', ownerReferences = [], annotations = {} } = object.metadata;
  if (labels[PART_OF_LABEL] === PART_OF || ownerReferences.length > 0) return true;
  const release = annotations['meta.helm.sh/release-name'];
  if (release && releases.has(`${annotations['meta.helm.sh/release-namespace'] ?? ''}/${release}`)) return true;
  if (object.kind === 'Secret' && labels['owner'] === 'helm' && releases.has(`${namespace}/${labels['name'] ?? ''}`))
    return true;
  // cert-manager's webhook signs for itself.
  if (
    object.kind === 'Secret' &&
    annotations['cert-manager.io/allow-direct-injection'] === 'true' &&
    releases.has(`${namespace}/cert-manager`)
  )
    return true;
  if (object.kind === 'Lease' && LEADERS.test(name)) return true;
  return (
    (object.kind === 'ConfigMap' && name === 'kube-root-ca.crt') ||
    (object.kind === 'ServiceAccount' && name === 'default') ||
    (object.kind === 'Secret' && object['type'] === 'kubernetes.io/service-account-token')
  );
}

export interface RemovalResult {
  removed: string[];
  kept: string[];
  kinds: number;
}

/** The reverse of an installation: resources, releases, our own objects, data only when asked for; then proves that nothing is left. */
export async function uninstall(
  plan: RemovalPlan,
  hands: Hands,
  options: { deleteData: boolean },
  emit: Emit,
): Promise<RemovalResult> {
  const removed: string[] = [];
  const timed = async (id: string, work: () => Promise<void>): Promise<void> => {
    if (hands.signal.aborted)
      throw new ObsError({ what: 'stopped', next: 'run uninstall again: it carries on', exit: 130 });
    const start = Date.now();
    emit({ type: 'start', id });
    try {
      await work();
      emit({ type: 'done', id, result: 'applied', ms: Date.now() - start });
      removed.push(id);
    } catch (error) {
      emit({ type: 'failed', id, ms: Date.now() - start, error });
      throw error;
    }
  };
  const drop = (ref: ObjectRef): Promise<void> => timed(refText(ref), async () => void (await hands.kube.remove(ref)));
  // Read before they go: what the charts made has not always a label of ours.
  const { rendered, left } = await madeBy(plan, hands);
  await Promise.all(plan.resources.map(drop));
  // An operator that is removed first leaves its finalizers behind (peers.md 3).
  await gone(plan.resources, hands, 'uninstall');
  await Promise.all(
    plan.releases.map((release) =>
      timed(
        `release ${release.name}`,
        async () => void (await hands.helm.uninstall({ release: release.name, namespace: release.namespace })),
      ),
    ),
  );
  await Promise.all(left.map(async (ref) => void (await hands.kube.remove(ref))));
  await Promise.all(plan.objects.filter((ref) => ref.name !== JOURNAL).map(drop));
  const data = options.deleteData ? await withoutUsed(plan.data, hands.kube) : [];
  await Promise.all(data.map(drop));
  // The journal goes last: until then an interrupted uninstall can be told from "not installed".
  await Promise.all(plan.objects.filter((ref) => ref.name === JOURNAL).map(drop));
  const namespaces = options.deleteData ? plan.namespaces : [];
  for (const ref of namespaces) await drop(ref);
  const all = await hands.kube.list('Namespace', undefined, OWN_SELECTOR);
  const staying = all
    .filter((o) => !namespaces.some((ref) => ref.name === o.metadata.name))
    .map((o) => refText(refOf(o)));
  const kept = plan.data.filter((ref) => !data.includes(ref)).map(refText);
  const places = [
    ...new Set([
      hands.namespace,
      ...[...plan.namespaces, ...plan.held].map((ref) => ref.name),
      ...plan.releases.map((release) => release.namespace),
    ]),
  ];
  const ownStaying = [...(options.deleteData ? [] : plan.namespaces), ...plan.held].map(refText);
  await proveGone(hands, places, [...rendered, ...left], new Set([...kept, ...staying]), options.deleteData);
  return { removed, kept: [...kept, ...ownStaying], kinds: ownableKinds().length };
}

/** A definition goes with every object of its kind: one that others use stays. */
async function withoutUsed(refs: ObjectRef[], kube: Kube): Promise<ObjectRef[]> {
  const used = await Promise.all(
    refs.map(async (ref) => ref.kind === 'CustomResourceDefinition' && (await hasObjects(ref, kube))),
  );
  return refs.filter((_ref, i) => !used[i]);
}

async function hasObjects(ref: ObjectRef, kube: Kube): Promise<boolean> {
  const crd = await kube.read(ref);
  const { group, names, versions } = (crd?.['spec'] ?? {}) as {
    group?: string;
    names?: { plural: string };
    versions?: { name: string; storage?: boolean }[];
  };
  const version = versions?.find((one) => one.storage)?.name;
  if (!group || !names || !version) return false;
  const { items } = await kube.json<{ items: unknown[] }>(`/apis/${group}/${version}/${names.plural}?limit=1`);
  return items.length > 0;
}

/** What the charts of the releases made, by helm's record. */
async function madeBy(plan: RemovalPlan, hands: Hands): Promise<{ rendered: ObjectRef[]; left: ObjectRef[] }> {
  const records = await releasesIn(hands.kube, [...new Set(plan.releases.map((release) => release.namespace))]);
  const found = plan.releases.flatMap((release) => records.get(releaseId(release)) ?? []);
  return {
    rendered: found.flatMap((release) => refsOf(release, release.payload().objects)),
    left: found.flatMap(outliving),
  };
}

/** What stays when helm removes a release: what its hooks made, and the Secrets of its Certificates. */
function outliving(release: StoredRelease): ObjectRef[] {
  const { objects, hooks } = release.payload();
  const secrets = objects.flatMap(({ kind, metadata: { namespace }, spec }): KubeObject[] => {
    const name = kind === 'Certificate' ? (spec as { secretName?: string } | undefined)?.secretName : undefined;
    return name ? [{ apiVersion: 'v1', kind: 'Secret', metadata: { name, ...(namespace ? { namespace } : {}) } }] : [];
  });
  return refsOf(release, [...hooks, ...secrets]);
}

function refsOf({ namespace }: StoredRelease, objects: KubeObject[]): ObjectRef[] {
  const going = objects.filter(
    ({ metadata: { annotations = {} } }) => annotations['helm.sh/resource-policy'] !== 'keep',
  );
  return going.map((object) => refOf(placed(object, namespace)));
}

/** Waits until nothing of ours but `kept` is there. @throws ObsError naming what stays, and its finalizers */
async function proveGone(
  hands: Hands,
  places: string[],
  rendered: ObjectRef[],
  kept: Set<string>,
  deleteData: boolean,
): Promise<void> {
  const stays = (object: KubeObject): boolean => kept.has(refText(refOf(object)));
  await until(hands, 'uninstall', async () => {
    const left = (await ownObjects(hands, places)).filter(
      (o) => !stays(o) && !(o.kind === 'Lease' && o.metadata.name === LEASE),
    );
    const pods = (await Promise.all(places.map((place) => hands.kube.list('Pod', place, OWN_SELECTOR))))
      .flat()
      .filter((o) => !stays(o));
    const volumes = deleteData
      ? (await hands.kube.list('PersistentVolume')).filter((pv) => places.includes(claimsOf(pv) ?? '') && reclaims(pv))
      : [];
    const made = (await Promise.all(rendered.map((ref) => hands.kube.read(ref)))).filter(
      (object) => object !== undefined,
    );
    return [...left, ...pods, ...volumes, ...made];
  });
}

/** Only our claims' volumes: foreign claims in the namespace keep it alive. */
function claimsOf(volume: KubeObject): string | undefined {
  const claim = (volume['spec'] as { claimRef?: { namespace?: string; name?: string } }).claimRef;
  return CLAIMS.has(claim?.name ?? '') ? claim?.namespace : undefined;
}

/** Volumes with reclaim policy Retain stay by their class's own rule. */
function reclaims(volume: KubeObject): boolean {
  return (volume['spec'] as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy !== 'Retain';
}

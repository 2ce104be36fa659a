import { storedReleases } from '../adapters/helm.ts';
import { isNamespaced, ownableKinds } from '../adapters/kinds.ts';
import { ObsError } from '../core/errors.ts';
import { MANAGED_BY_LABEL, OWN_SELECTOR, PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import { type Hands, sleep } from './apply.ts';
import type { Emit } from './events.ts';
import { isOurRelease } from './foreign.ts';
import { JOURNAL } from './journal.ts';
import { LEASE } from './lock.ts';

/** What `uninstall` will touch; shown before it acts. */
export interface RemovalPlan {
  releases: string[];
  /** Objects that we applied ourselves and that hold no data. */
  objects: ObjectRef[];
  /** Claims and the secrets that their data need. */
  data: ObjectRef[];
  /** Set when the namespace is ours. */
  namespace?: ObjectRef;
  /** Objects of others in our namespace: it is then kept. */
  foreign: string[];
}

const DATA_KINDS = new Set(['PersistentVolumeClaim', 'Secret']);

/** Everything that carries our label, cluster-wide for cluster-scoped kinds. @throws KubeError when a kind cannot be listed: "could not look" is not "nothing there" */
export async function ownObjects(hands: Pick<Hands, 'kube' | 'namespace'>): Promise<KubeObject[]> {
  const lists = await Promise.all(ownableKinds().map((kind) => hands.kube.list(kind, isNamespaced(kind) ? hands.namespace : undefined, OWN_SELECTOR)));
  return lists.flat().filter((object) => isNamespaced(object.kind) || object.kind === 'PersistentVolume' || belongsTo(object, hands.namespace));
}

/** Two installations may live in one cluster: cluster-scoped objects are named after their namespace. */
function belongsTo(object: KubeObject, namespace: string): boolean {
  const { name, annotations } = object.metadata;
  if (object.kind === 'Namespace') return name === namespace;
  // helm's own word first: the namespaces "obs" and "obs-2" begin alike.
  const owner = annotations?.['meta.helm.sh/release-namespace'];
  return owner === undefined ? name.startsWith(`${namespace}-`) : owner === namespace;
}

export async function planRemoval(hands: Pick<Hands, 'kube' | 'namespace'>): Promise<RemovalPlan> {
  const releases = [...(await storedReleases(hands.kube, hands.namespace)).values()].filter(isOurRelease);
  const names = new Set(releases.map((r) => r.name));
  const own = (await ownObjects(hands)).filter((o) => o.metadata.labels?.[MANAGED_BY_LABEL] === PART_OF || isOrphan(o, names));
  const namespace = own.find((o) => o.kind === 'Namespace');
  const rest = own.filter((o) => o.kind !== 'Namespace' && !(o.kind === 'Lease' && o.metadata.name === LEASE));
  return {
    releases: [...names],
    objects: rest.filter((o) => !DATA_KINDS.has(o.kind)).map(refOf),
    data: rest.filter((o) => DATA_KINDS.has(o.kind)).map(refOf),
    ...(namespace ? { namespace: refOf(namespace) } : {}),
    foreign: namespace ? await foreignObjects(hands, names) : [],
  };
}

/** helm made it, and helm's record of it is gone: what a crash in the middle of a recovery leaves. */
function isOrphan(object: KubeObject, releases: Set<string>): boolean {
  const release = object.metadata.annotations?.['meta.helm.sh/release-name'];
  return release !== undefined && !releases.has(release);
}

/** Objects of our namespace that neither we, nor Kubernetes, nor a controller of ours made. */
async function foreignObjects(hands: Pick<Hands, 'kube' | 'namespace'>, releases: Set<string>): Promise<string[]> {
  const kinds = [...ownableKinds().filter(isNamespaced), 'Pod'];
  const lists = await Promise.all(kinds.map((kind) => hands.kube.list(kind, hands.namespace)));
  return lists
    .flat()
    .filter((o) => !isOursOrSystems(o, releases))
    .map((o) => refText(refOf(o)));
}

function isOursOrSystems(object: KubeObject, releases: Set<string>): boolean {
  const { labels = {}, name, ownerReferences = [], annotations = {} } = object.metadata;
  if (labels[PART_OF_LABEL] === PART_OF || ownerReferences.length > 0) return true;
  if (annotations['meta.helm.sh/release-name'] && releases.has(annotations['meta.helm.sh/release-name'])) return true;
  if (object.kind === 'Secret' && labels['owner'] === 'helm' && releases.has(labels['name'] ?? '')) return true;
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

/** The reverse of an installation: releases, then our own objects, data only when asked for; then proves that nothing is left. */
export async function uninstall(plan: RemovalPlan, hands: Hands, options: { deleteData: boolean }, emit: Emit): Promise<RemovalResult> {
  const removed: string[] = [];
  const timed = async (id: string, work: () => Promise<void>): Promise<void> => {
    if (hands.signal.aborted) throw new ObsError({ what: 'stopped', next: 'run uninstall again: it carries on', exit: 130 });
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
  await Promise.all(plan.releases.map((name) => timed(`release ${name}`, async () => void (await hands.helm.uninstall(name)))));
  await Promise.all(plan.objects.filter((ref) => ref.name !== JOURNAL).map(drop));
  if (options.deleteData) await Promise.all(plan.data.map(drop));
  const keepNamespace = !options.deleteData || plan.foreign.length > 0;
  // The journal goes last: until then an interrupted uninstall can be told from "not installed".
  await Promise.all(plan.objects.filter((ref) => ref.name === JOURNAL).map(drop));
  if (plan.namespace && !keepNamespace) await drop(plan.namespace);
  const kept = [...(options.deleteData ? [] : plan.data.map(refText)), ...(plan.namespace && keepNamespace ? [refText(plan.namespace)] : [])];
  await proveGone(hands, new Set(kept), options.deleteData);
  return { removed, kept, kinds: ownableKinds().length };
}

/** Waits until nothing of ours but `kept` is there. @throws ObsError naming what stays, and its finalizers */
async function proveGone(hands: Hands, kept: Set<string>, deleteData: boolean): Promise<void> {
  const deadline = Date.now() + hands.timeout;
  for (;;) {
    const left = (await ownObjects(hands)).filter((o) => !kept.has(refText(refOf(o))) && !(o.kind === 'Lease' && o.metadata.name === LEASE));
    const pods = (await hands.kube.list('Pod', hands.namespace, OWN_SELECTOR)).filter((o) => !kept.has(refText(refOf(o))));
    const volumes = deleteData ? (await hands.kube.list('PersistentVolume')).filter((pv) => claimsOf(pv) === hands.namespace && reclaims(pv)) : [];
    const all = [...left, ...pods, ...volumes];
    if (all.length === 0) return;
    if (Date.now() > deadline) {
      const stuck = all[0] as KubeObject;
      throw new ObsError({
        what: `${all.length} objects are still there after ${Math.round(hands.timeout / 1000)} s`,
        object: all
          .map((o) => refText(refOf(o)))
          .slice(0, 5)
          .join(', '),
        cause: stuck.metadata.finalizers?.length ? `finalizers: ${stuck.metadata.finalizers.join(', ')}` : 'the cluster has not finished deleting them',
        next: 'wait a little, then run uninstall again: it carries on',
      });
    }
    await sleep(500);
  }
}

/** Only our claims' volumes: foreign claims in the namespace keep it alive. */
function claimsOf(volume: KubeObject): string | undefined {
  const claim = (volume['spec'] as { claimRef?: { namespace?: string; name?: string } }).claimRef;
  return claim?.name?.endsWith('-data') ? claim.namespace : undefined;
}

/** Volumes with reclaim policy Retain stay by their class's own rule. */
function reclaims(volume: KubeObject): boolean {
  return (volume['spec'] as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy !== 'Retain';
}

import { releasesIn } from '../../adapters/helm.ts';
import type { Kube } from '../../adapters/kube.ts';
import { ownableKinds } from '../../adapters/kinds.ts';
import { ObsError } from '../../core/errors.ts';
import { OWN_SELECTOR } from '../../core/labels.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../../core/types.ts';
import { claimNames } from '../../parts/catalog.ts';
import type { Emit } from '../events.ts';
import { JOURNAL } from '../state/journal.ts';
import type { ApplyContext } from '../steps/types.ts';
import { waitDeleted, waitUntilNone } from '../steps/waiting.ts';
import { type RemovalPlan, isLease, objectsOutliving, ownObjects, releaseId, removedRefs } from './plan.ts';

export interface RemovalResult {
  removed: string[];
  kept: string[];
  kinds: number;
}

/** Deletes data only with `deleteData`; then proves that nothing else is left. @throws ObsError */
export async function uninstall(
  plan: RemovalPlan,
  context: ApplyContext,
  options: { deleteData: boolean },
  emit: Emit,
): Promise<RemovalResult> {
  const { kube, helm } = context;
  const { timed, removed } = timer(context.signal, emit);
  const drop = (ref: ObjectRef): Promise<void> => timed(refText(ref), async () => void (await kube.remove(ref)));
  const isJournal = (ref: ObjectRef): boolean => ref.name === JOURNAL;
  // Read before deletion: not every object of a chart has our label.
  const { rendered, outliving } = await objectsOfReleases(plan, kube);
  await Promise.all(plan.resources.map(drop));
  // An operator that is removed before its resources leaves their finalizers behind.
  await waitDeleted(plan.resources, context, 'uninstall');
  await Promise.all(
    plan.releases.map(({ name, namespace }) =>
      timed(`release ${name}`, async () => void (await helm.uninstall({ release: name, namespace }))),
    ),
  );
  await Promise.all(outliving.map((ref) => kube.remove(ref)));
  await Promise.all(plan.objects.filter((ref) => !isJournal(ref)).map(drop));
  const data = options.deleteData ? await withoutUsed(plan.data, kube) : [];
  await Promise.all(data.map(drop));
  // The journal is deleted last: until then an interrupted uninstall is recognisable as such.
  await Promise.all(plan.objects.filter(isJournal).map(drop));
  const namespaces = options.deleteData ? plan.namespaces : [];
  for (const ref of namespaces) await drop(ref);
  const keptData = plan.data.filter((ref) => !data.includes(ref)).map(refText);
  const otherNamespaces = (await kube.list('Namespace', undefined, OWN_SELECTOR))
    .filter((one) => !namespaces.some((ref) => ref.name === one.metadata.name))
    .map((one) => refText(refOf(one)));
  const expected = new Set([...keptData, ...otherNamespaces]);
  await proveDeleted(plan, context, [...rendered, ...outliving], expected, options.deleteData);
  const keptNamespaces = [...(options.deleteData ? [] : plan.namespaces), ...plan.held].map(refText);
  return { removed, kept: [...keptData, ...keptNamespaces], kinds: ownableKinds().length };
}

/** Runs and reports pieces of work; starts none after an abort. */
function timer(
  signal: AbortSignal,
  emit: Emit,
): { timed: (id: string, work: () => Promise<void>) => Promise<void>; removed: string[] } {
  const removed: string[] = [];
  const timed = async (id: string, work: () => Promise<void>): Promise<void> => {
    if (signal.aborted) throw new ObsError({ what: 'stopped', next: 'run uninstall again: it resumes', exit: 130 });
    const start = Date.now();
    emit({ type: 'start', id });
    try {
      await work();
    } catch (error) {
      emit({ type: 'failed', id, ms: Date.now() - start, error });
      throw error;
    }
    emit({ type: 'done', id, result: 'applied', ms: Date.now() - start });
    removed.push(id);
  };
  return { timed, removed };
}

/** Without CRDs that somebody still uses: deleting a CRD deletes every object of its kind. */
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

/** Objects of the planned releases by helm's records: those that helm removes, and those that it leaves. */
async function objectsOfReleases(
  plan: RemovalPlan,
  kube: Kube,
): Promise<{ rendered: ObjectRef[]; outliving: ObjectRef[] }> {
  const records = await releasesIn(kube, [...new Set(plan.releases.map((release) => release.namespace))]);
  const found = plan.releases.flatMap((release) => records.get(releaseId(release)) ?? []);
  return {
    rendered: found.flatMap((release) => removedRefs(release, release.payload().objects)),
    outliving: found.flatMap(objectsOutliving),
  };
}

/** Waits until only `expected` objects of ours are left. @throws ObsError naming the others, and their finalizers */
async function proveDeleted(
  plan: RemovalPlan,
  context: ApplyContext,
  rendered: ObjectRef[],
  expected: Set<string>,
  deleteData: boolean,
): Promise<void> {
  const { kube } = context;
  const namespaces = [
    ...new Set([
      context.namespace,
      ...[...plan.namespaces, ...plan.held].map((ref) => ref.name),
      ...plan.releases.map((release) => release.namespace),
    ]),
  ];
  const isExpected = (object: KubeObject): boolean => isLease(object) || expected.has(refText(refOf(object)));
  await waitUntilNone(context, 'uninstall', async () => {
    const own = await ownObjects(context, namespaces);
    const pods = (await Promise.all(namespaces.map((name) => kube.list('Pod', name, OWN_SELECTOR)))).flat();
    const volumes = deleteData
      ? (await kube.list('PersistentVolume')).filter(
          (volume) => namespaces.includes(namespaceOfClaim(volume) ?? '') && isReclaimed(volume),
        )
      : [];
    const live = await Promise.all(rendered.map((ref) => kube.read(ref)));
    return [
      ...[...own, ...pods].filter((object) => !isExpected(object)),
      ...volumes,
      ...live.filter((object) => object !== undefined),
    ];
  });
}

const CLAIMS = claimNames();

/** Namespace of the volume's claim if the claim is ours. */
function namespaceOfClaim(volume: KubeObject): string | undefined {
  const claim = (volume['spec'] as { claimRef?: { namespace?: string; name?: string } }).claimRef;
  return CLAIMS.has(claim?.name ?? '') ? claim?.namespace : undefined;
}

/** Volumes with reclaim policy Retain remain by the choice of their StorageClass. */
const isReclaimed = (volume: KubeObject): boolean =>
  (volume['spec'] as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy !== 'Retain';

import { isNamespaced } from '../../adapters/kinds.ts';
import { FIELD_MANAGER } from '../../adapters/serverSideApply.ts';
import { type Change, subsetDiff } from '../../core/compare.ts';
import { type KubeObject, refOf } from '../../core/types.ts';
import type { Observation, ObjectChange, ReadContext } from './types.ts';

/** The object with its namespace filled in, unless its kind is cluster-scoped. */
export function withNamespace(object: KubeObject, namespace: string): KubeObject {
  if (!isNamespaced(object.kind)) return object;
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } };
}

/** What must change for the live objects to contain the wanted ones. */
export async function compareAll(
  objects: KubeObject[],
  { kube }: Pick<ReadContext, 'kube'>,
  namespace: string,
): Promise<ObjectChange[]> {
  const all = await Promise.all(
    objects.map(async (object): Promise<ObjectChange[]> => {
      const wanted = withNamespace(object, namespace);
      const live = await kube.read(refOf(wanted));
      if (!live) return [{ ref: refOf(wanted), action: 'create', changes: [] }];
      const changes = [...subsetDiff(comparable(wanted), live), ...staleKeys(wanted, live)];
      return changes.length ? [{ ref: refOf(wanted), action: 'change', changes }] : [];
    }),
  );
  return all.flat();
}

/** Keys of a ConfigMap that we applied earlier and no longer want, such as a dashboard; keys of others stay. */
function staleKeys(wanted: KubeObject, live: KubeObject): Change[] {
  if (wanted.kind !== 'ConfigMap') return [];
  const ours = (live.metadata.managedFields ?? [])
    .filter((entry) => entry.manager === FIELD_MANAGER)
    .flatMap((entry) => Object.keys(entry.fieldsV1?.['f:data'] ?? {}));
  const keys = new Set(Object.keys(wanted['data'] ?? {}));
  const stale = ours.map((field) => field.slice(2)).filter((key) => !keys.has(key));
  return stale.map((key) => ({ path: `data.${key}`, from: '(there)', to: '(absent)' }));
}

/** An existing namespace keeps its owner's labels, and a claim may have been grown: these fields are not compared. */
function comparable({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  if (kind === 'Namespace') return { apiVersion, kind, metadata: { name: metadata.name } };
  if (kind === 'PersistentVolumeClaim') return { apiVersion, kind, metadata };
  return { apiVersion, kind, metadata, ...rest };
}

/** Somebody edited a ConfigMap: pods may have started with its content. */
export const wasEdited = (seen: Observation): boolean =>
  seen.changes.some(({ ref, action }) => ref.kind === 'ConfigMap' && action === 'change');

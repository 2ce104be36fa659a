import { storedReleases, type Helm, type StoredRelease } from '../adapters/helm.ts';
import { isNamespaced } from '../adapters/kinds.ts';
import type { Kube } from '../adapters/kube.ts';
import { FIELD_MANAGER } from '../adapters/kubectl.ts';
import { assetPath } from '../core/assets.ts';
import { type Change, canonical, hashOf, subsetDiff } from '../core/compare.ts';
import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { refOf } from '../core/types.ts';
import type { ObjectChange, Observation, ReleaseStep, RemovalStep, SecretStep, Step } from './types.ts';
import { readiness } from './workload.ts';

export interface Eyes {
  kube: Kube;
  helm: Helm;
  namespace: string;
  /** helm's records, read once per look at many steps; absent: read now. */
  releases?: Map<string, StoredRelease>;
}

/** Hash of what a step wants: journalled, so that a later run sees whether the input changed. */
export function inputsOf(step: Step): string {
  switch (step.kind) {
    case 'objects':
      return hashOf(step.objects);
    case 'secret':
      return hashOf([step.object, Object.keys(step.keys)]);
    case 'release':
      return hashOf([step.chart, step.values]);
    case 'removal':
      return hashOf([step.release, step.objects]);
    case 'gate':
      return step.gate;
  }
}

/** Live reality decides, not the journal. Reads only. @throws KubeError when the cluster cannot be asked */
export async function observe(step: Step, eyes: Eyes, options: { diff?: boolean } = {}): Promise<Observation> {
  switch (step.kind) {
    case 'gate':
      return { state: 'absent', changes: [] };
    case 'secret':
      return observeSecret(step, eyes);
    case 'objects': {
      const changes = await compareAll(step.objects, eyes);
      const state = changes.length === 0 ? 'done' : changes.some((c) => c.action === 'create') ? 'absent' : 'drifted';
      return { state, changes };
    }
    case 'release':
      return observeRelease(step, eyes, options.diff ?? false);
    case 'removal':
      return observeRemoval(step, eyes);
  }
}

async function observeSecret(step: SecretStep, eyes: Eyes): Promise<Observation> {
  const live = await eyes.kube.read(refOf(step.object));
  const keys = Object.keys(live?.['data'] ?? {});
  const missing = Object.keys(step.keys).filter((key) => !keys.includes(key));
  if (!live) return { state: 'absent', changes: [{ ref: refOf(step.object), action: 'create', changes: [] }] };
  if (missing.length)
    return {
      state: 'drifted',
      changes: [{ ref: refOf(step.object), action: 'change', changes: missing.map((key) => ({ path: `data.${key}`, from: '(absent)', to: '(a new value)' })) }],
    };
  return { state: 'done', changes: [] };
}

async function observeRelease(step: ReleaseStep, eyes: Eyes, diff: boolean): Promise<Observation> {
  const releases = eyes.releases ?? (await storedReleases(eyes.kube, eyes.namespace));
  const stored = releases.get(step.release);
  if (!stored || stored.status === 'uninstalled') return { state: 'absent', changes: diff ? await renderedChanges(step, eyes) : [] };
  if (stored.status.startsWith('pending-') || stored.status === 'uninstalling') {
    return {
      state: 'stuck',
      changes: diff ? await renderedChanges(step, eyes) : [],
      detail: `helm was interrupted: revision ${stored.revision} is ${stored.status}`,
    };
  }
  const { values, objects } = stored.payload();
  if (stored.status !== 'deployed' || canonical(values) !== canonical(step.values)) {
    const gone = diff ? await renderedChanges(step, eyes, objects) : [];
    return { state: 'drifted', changes: gone, detail: stored.status === 'deployed' ? 'its values changed' : `helm says ${stored.status}` };
  }
  const changes = await compareAll(objects, eyes);
  if (changes.length) return { state: 'drifted', changes, detail: 'live objects differ from the release' };
  const { ready, detail } = await readiness(eyes.kube, eyes.namespace, step.workload);
  return ready ? { state: 'done', changes: [] } : { state: 'unready', changes: [], detail };
}

/** Only what carries our label: a release of the same name that somebody else made is none of our business. */
async function observeRemoval(step: RemovalStep, eyes: Eyes): Promise<Observation> {
  const releases = eyes.releases ?? (await storedReleases(eyes.kube, eyes.namespace));
  const rendered = (releases.get(step.release)?.payload().objects ?? [])
    .filter((object) => object.metadata.labels?.[PART_OF_LABEL] === PART_OF)
    .map((object) => refOf(placed(object, eyes.namespace)));
  const live = await Promise.all(step.objects.map((ref) => eyes.kube.read(ref)));
  const own = live.flatMap((object) => (object?.metadata.labels?.[PART_OF_LABEL] === PART_OF ? [refOf(object)] : []));
  const changes = [...rendered, ...own].map((ref): ObjectChange => ({ ref, action: 'delete', changes: [] }));
  return changes.length ? { state: 'drifted', changes, detail: 'it is switched off' } : { state: 'done', changes: [] };
}

/** Changes that `helm upgrade` would make, from the rendered chart; `before` finds objects that would go. */
async function renderedChanges(step: ReleaseStep, eyes: Eyes, before: KubeObject[] = []): Promise<ObjectChange[]> {
  const { gitVersion } = await eyes.kube.json<{ gitVersion: string }>('/version');
  const objects = await eyes.helm.template(step.release, assetPath('templates', step.chart), step.values, gitVersion);
  const wanted = new Set(objects.map((o) => `${o.kind}/${o.metadata.name}`));
  const gone = before.filter((o) => !wanted.has(`${o.kind}/${o.metadata.name}`));
  return [...(await compareAll(objects, eyes)), ...gone.map((o): ObjectChange => ({ ref: refOf(placed(o, eyes.namespace)), action: 'delete', changes: [] }))];
}

function placed(object: KubeObject, namespace: string): KubeObject {
  return isNamespaced(object.kind) ? { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } } : object;
}

async function compareAll(objects: KubeObject[], eyes: Eyes): Promise<ObjectChange[]> {
  const all = await Promise.all(
    objects.map(async (object): Promise<ObjectChange[]> => {
      const wanted = placed(object, eyes.namespace);
      const live = await eyes.kube.read(refOf(wanted));
      if (!live) return [{ ref: refOf(wanted), action: 'create', changes: [] }];
      const changes = [...subsetDiff(comparable(wanted), live), ...leftOver(wanted, live)];
      return changes.length ? [{ ref: refOf(wanted), action: 'change', changes }] : [];
    }),
  );
  return all.flat();
}

/** Keys of a ConfigMap that we applied once and want no more, such as a dashboard; keys that others added are theirs. */
function leftOver(wanted: KubeObject, live: KubeObject): Change[] {
  if (wanted.kind !== 'ConfigMap') return [];
  const mine = (live.metadata.managedFields ?? [])
    .filter((entry) => entry.manager === FIELD_MANAGER)
    .flatMap((entry) => Object.keys(entry.fieldsV1?.['f:data'] ?? {}));
  const keys = new Set(Object.keys(wanted['data'] ?? {}));
  const gone = mine.map((field) => field.slice(2)).filter((key) => !keys.has(key));
  return gone.map((key) => ({ path: `data.${key}`, from: '(there)', to: '(absent)' }));
}

/** A namespace found with other labels stays as its owner made it; a claim's size may have been grown since. */
function comparable(object: KubeObject): KubeObject {
  if (object.kind === 'Namespace') return { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: object.metadata.name } };
  if (object.kind === 'PersistentVolumeClaim') return { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata };
  return object;
}

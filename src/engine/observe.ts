import { releasesIn, type Helm, type StoredRelease } from '../adapters/helm.ts';
import { isNamespaced, restPath } from '../adapters/kinds.ts';
import { type Kube, KubeError } from '../adapters/kube.ts';
import { FIELD_MANAGER } from '../adapters/serverSideApply.ts';
import type { Charts } from '../charts/source.ts';
import { PINS } from '../charts/pins.ts';
import { type Change, canonical, hashOf, subsetDiff } from '../core/compare.ts';
import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import { compareCrds } from './crds.ts';
import { observeStale } from './stale.ts';
import { differingAuthorities } from './conversion.ts';
import { providedBy } from './foreign.ts';
import type {
  ObjectChange,
  Observation,
  ObjectsStep,
  ReleaseStep,
  RemovalStep,
  SecretStep,
  Step,
  WebhookStep,
  Workload,
} from './types.ts';
import { readiness } from './workload.ts';

export interface Eyes {
  kube: Kube;
  helm: Helm;
  charts: Charts;
  /** Home of the installation. */
  namespace: string;
  /** helm's records by `namespace/name`, read once per look at many steps; absent: read now. */
  releases?: Map<string, StoredRelease> | undefined;
}

/** Hash of what a step wants: journalled, so that a later run sees whether the input changed. */
export function inputsOf(step: Step): string {
  switch (step.kind) {
    case 'objects':
      return hashOf(step.objects);
    case 'secret':
      return hashOf([step.object, Object.keys(step.keys)]);
    case 'crds':
      return hashOf([PINS[step.chart], step.values]);
    case 'release':
      return hashOf([
        step.chart.name,
        step.values,
        ...(step.chart.source === 'upstream' ? [PINS[step.chart.name].version] : []),
      ]);
    case 'webhook':
      return hashOf(step.objects);
    case 'removal':
      return hashOf([step.release, step.objects]);
    case 'stale':
      return hashOf([step.wanted, step.objects]);
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
    case 'objects':
      return observeObjects(step, eyes);
    case 'crds':
      return compareCrds(step, eyes);
    case 'webhook':
      return observeWebhook(step, eyes);
    case 'release':
      return observeRelease(step, eyes, options.diff ?? false);
    case 'removal':
      return observeRemoval(step, eyes);
    case 'stale':
      return observeStale(step, eyes);
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
      changes: [
        {
          ref: refOf(step.object),
          action: 'change',
          changes: missing.map((key) => ({ path: `data.${key}`, from: '(absent)', to: '(a new value)' })),
        },
      ],
    };
  return { state: 'done', changes: [] };
}

async function observeObjects(step: ObjectsStep, eyes: Eyes): Promise<Observation> {
  const changes = await compareAll(step.objects, eyes, eyes.namespace);
  if (changes.length) return { state: changes.some((c) => c.action === 'create') ? 'absent' : 'drifted', changes };
  return (await notReady(step.workloads ?? [], eyes)) ?? { state: 'done', changes };
}

/** Milliseconds: the API server waits up to 30 s for a webhook that it cannot reach. */
const WEBHOOK_PATIENCE = 5_000;

/** Asked by a server dry-run, which changes nothing. */
async function observeWebhook(step: WebhookStep, eyes: Eyes): Promise<Observation> {
  for (const object of step.objects) {
    const path = `${restPath(object.kind, object.metadata.namespace)}?dryRun=All`;
    const said = await eyes.kube
      .request('POST', path, { body: JSON.stringify(object), timeout: WEBHOOK_PATIENCE })
      .then(
        ({ status }) => (status >= 300 ? `HTTP ${status}` : undefined),
        (error: unknown) => {
          // The cluster has just answered other questions: it is the webhook that keeps this one waiting.
          if (error instanceof KubeError && error.reason === 'Timeout')
            return `no answer within ${WEBHOOK_PATIENCE / 1000} s`;
          throw error;
        },
      );
    if (said) return { state: 'unready', changes: [], detail: `it does not serve (${said})` };
  }
  const differing = await differingAuthorities(step, eyes.kube);
  return differing.length
    ? { state: 'drifted', changes: [], detail: `${differing.join(', ')} does not trust it` }
    : { state: 'done', changes: [] };
}

async function notReady(workloads: Workload[], eyes: Eyes): Promise<Observation | undefined> {
  for (const workload of workloads) {
    const { ready, detail } = await readiness(eyes.kube, workload);
    if (!ready) return { state: 'unready', changes: [], detail };
  }
  return undefined;
}

/** helm's record of a step's release. */
export async function recordOf(
  step: { release: string; namespace: string },
  eyes: Eyes,
): Promise<StoredRelease | undefined> {
  const releases = eyes.releases ?? (await releasesIn(eyes.kube, [step.namespace]));
  return releases.get(`${step.namespace}/${step.release}`);
}

async function observeRelease(step: ReleaseStep, eyes: Eyes, diff: boolean): Promise<Observation> {
  const stored = await recordOf(step, eyes);
  const other = stored ? undefined : await providedBy(step, eyes.kube);
  if (other) return { state: 'done', changes: [], detail: `already in the cluster: ${refText(refOf(other))}` };
  if (!stored || stored.status === 'uninstalled')
    return { state: 'absent', changes: diff ? await renderedChanges(step, eyes) : [] };
  if (stored.status.startsWith('pending-') || stored.status === 'uninstalling') {
    return {
      state: 'stuck',
      changes: diff ? await renderedChanges(step, eyes) : [],
      detail: `helm was interrupted: revision ${stored.revision} is ${stored.status}`,
    };
  }
  const { values, objects, chart } = stored.payload();
  const detail = stored.status !== 'deployed' ? `helm says ${stored.status}` : outdated(step, values, chart);
  if (detail) return { state: 'drifted', changes: diff ? await renderedChanges(step, eyes, objects) : [], detail };
  const changes = await compareAll(objects, eyes, step.namespace);
  if (changes.length) return { state: 'drifted', changes, detail: 'live objects differ from the release' };
  return (await notReady(step.workloads, eyes)) ?? { state: 'done', changes: [] };
}

/** Our own charts count by a digest among their values, upstream's by their version. */
function outdated(step: ReleaseStep, values: unknown, chart: { version: string }): string | undefined {
  if (canonical(values) !== canonical(step.values)) return 'its values changed';
  const pinned = step.chart.source === 'upstream' ? PINS[step.chart.name].version : chart.version;
  return chart.version === pinned ? undefined : `chart ${chart.version} becomes ${pinned}`;
}

/** Only what carries our label: a release of the same name that somebody else made is none of our business. */
async function observeRemoval(step: RemovalStep, eyes: Eyes): Promise<Observation> {
  const rendered = ((await recordOf(step, eyes))?.payload().objects ?? [])
    .filter((object) => object.metadata.labels?.[PART_OF_LABEL] === PART_OF)
    .map((object) => refOf(placed(object, step.namespace)));
  const live = await Promise.all(step.objects.map((ref) => eyes.kube.read(ref)));
  const own = live.flatMap((object) => (object?.metadata.labels?.[PART_OF_LABEL] === PART_OF ? [refOf(object)] : []));
  const changes = [...rendered, ...own].map((ref): ObjectChange => ({ ref, action: 'delete', changes: [] }));
  return changes.length ? { state: 'drifted', changes, detail: 'it is switched off' } : { state: 'done', changes: [] };
}

/** Changes that `helm upgrade` would make, from the rendered chart; `before` finds objects that would go. */
async function renderedChanges(step: ReleaseStep, eyes: Eyes, before: KubeObject[] = []): Promise<ObjectChange[]> {
  const { gitVersion } = await eyes.kube.json<{ gitVersion: string }>('/version');
  const objects = await eyes.helm.template(step, await eyes.charts.path(step.chart), step.values, gitVersion);
  const wanted = new Set(objects.map((o) => `${o.kind}/${o.metadata.name}`));
  const gone = before.filter((o) => !wanted.has(`${o.kind}/${o.metadata.name}`));
  return [
    ...(await compareAll(objects, eyes, step.namespace)),
    ...gone.map((o): ObjectChange => ({ ref: refOf(placed(o, step.namespace)), action: 'delete', changes: [] })),
  ];
}

export function placed(object: KubeObject, namespace: string): KubeObject {
  return isNamespaced(object.kind)
    ? { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } }
    : object;
}

async function compareAll(objects: KubeObject[], eyes: Eyes, namespace: string): Promise<ObjectChange[]> {
  const all = await Promise.all(
    objects.map(async (object): Promise<ObjectChange[]> => {
      const wanted = placed(object, namespace);
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
  if (object.kind === 'Namespace')
    return { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: object.metadata.name } };
  if (object.kind === 'PersistentVolumeClaim')
    return { apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata };
  return object;
}

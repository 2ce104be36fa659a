import { setTimeout as sleep } from 'node:timers/promises';
import { recordOf } from '../../adapters/helm.ts';
import { kindInfo } from '../../adapters/kinds.ts';
import { lastLines } from '../../adapters/exec.ts';
import { type ChartRef, PINS } from '../../charts/pins.ts';
import { canonical, hashOf } from '../../core/compare.ts';
import { ObsError } from '../../core/errors.ts';
import { type JsonMap, type KubeObject, refOf, refText } from '../../core/types.ts';
import type { Provided } from '../../parts/types.ts';
import { compareAll, wasEdited, withNamespace } from './compare.ts';
import { isOurRelease, isOurs, nameTaken, providedBy, refuseOldProvider } from './ownership.ts';
import { retryPods } from './pods.ts';
import { notReady, waitReady } from './readiness.ts';
import type {
  ApplyContext,
  ApplyOptions,
  ObjectChange,
  Observation,
  ReadContext,
  Report,
  StepBase,
  StepKind,
  Workload,
} from './types.ts';
import { deletions } from './types.ts';

/** A Helm release and the workloads that must become ready. */
export interface ReleaseStep extends StepBase {
  kind: 'release';
  release: string;
  namespace: string;
  chart: ChartRef;
  values: JsonMap;
  workloads: Workload[];
  /** Steps whose objects the pods read only at start. */
  rereads?: string[];
  /** Cluster-wide object that shows that somebody else provides this already: then it is used, not installed. */
  provided?: Provided;
}

export const release: StepKind<ReleaseStep> = {
  inputs: ({ chart, values }) => [
    chart.name,
    values,
    ...(chart.source === 'upstream' ? [PINS[chart.name].version] : []),
  ],
  charts: (step) => [step.chart],
  recordsIn: (step) => step.namespace,
  observe,
  apply,

  async refuse(steps, context) {
    for (const step of steps) {
      const stored = await recordOf(step, context);
      if (stored && stored.status !== 'uninstalled' && !isOurRelease(stored))
        throw nameTaken(
          `release ${stored.namespace}/${stored.name}`,
          `helm -n ${stored.namespace} uninstall ${stored.name}`,
        );
      if (!stored) await refuseOldProvider(step, context.kube);
    }
  },

  export: (step, writer) => writer.release(step, step),
};

async function observe(step: ReleaseStep, context: ReadContext, diff: boolean): Promise<Observation> {
  const stored = await recordOf(step, context);
  const other = stored ? undefined : await providedBy(step, context.kube);
  if (other) return { state: 'done', changes: [], detail: `already in the cluster: ${refText(refOf(other))}` };
  const rendered = (before?: KubeObject[]): Promise<ObjectChange[]> =>
    diff ? renderedChanges(step, context, before) : Promise.resolve([]);
  if (!stored || stored.status === 'uninstalled') return { state: 'absent', changes: await rendered() };
  if (isUnfinished(stored.status)) {
    const detail = `helm was interrupted: revision ${stored.revision} is ${stored.status}`;
    return { state: 'stuck', changes: await rendered(), detail };
  }
  const { values, objects, chart } = stored.payload();
  const detail = stored.status !== 'deployed' ? `helm reports ${stored.status}` : outdated(step, values, chart.version);
  if (detail) return { state: 'drifted', changes: await rendered(objects), detail };
  const changes = await compareAll(objects, context, step.namespace);
  if (changes.length) return { state: 'drifted', changes, detail: 'live objects differ from the release' };
  return (await notReady(step.workloads, context)) ?? { state: 'done', changes: [] };
}

const isUnfinished = (status: string): boolean => status.startsWith('pending-') || status === 'uninstalling';

/** Our own charts carry a digest in their values; upstream charts are compared by version. */
function outdated(step: ReleaseStep, values: unknown, version: string): string | undefined {
  if (canonical(values) !== canonical(step.values)) return 'its values changed';
  const pinned = step.chart.source === 'upstream' ? PINS[step.chart.name].version : version;
  return version === pinned ? undefined : `chart ${version} becomes ${pinned}`;
}

/** Changes that `helm upgrade` would make; `before` reveals objects that it would delete. */
async function renderedChanges(
  step: ReleaseStep,
  context: ReadContext,
  before: KubeObject[] = [],
): Promise<ObjectChange[]> {
  const { gitVersion } = await context.kube.json<{ gitVersion: string }>('/version');
  const objects = await context.helm.template(step, await context.charts.path(step.chart), step.values, gitVersion);
  const nameOf = (object: KubeObject): string => `${object.kind}/${object.metadata.name}`;
  const wanted = new Set(objects.map(nameOf));
  const dropped = before.filter((object) => !wanted.has(nameOf(object)));
  return [
    ...(await compareAll(objects, context, step.namespace)),
    ...deletions(dropped.map((object) => refOf(withNamespace(object, step.namespace)))),
  ];
}

async function apply(step: ReleaseStep, context: ApplyContext, { seen, report, restart }: ApplyOptions): Promise<void> {
  if (seen.state === 'stuck') await recover(step, context, report);
  const templates = (): Promise<(string | undefined)[]> =>
    Promise.all(step.workloads.map((workload) => podTemplate(workload, context)));
  const before = await templates();
  // An archive repaired in its mirror keeps its version, so an unready upstream release is upgraded again.
  const mayDiffer = seen.state === 'unready' ? step.chart.source === 'upstream' : seen.state !== 'done';
  if (mayDiffer) await upgrade(step, context, report);
  const after = await templates();
  for (const [i, workload] of step.workloads.entries()) {
    // An upgrade that changes the pod template restarts the pods by itself.
    if (before[i] && (restart || wasEdited(seen)) && before[i] === after[i]) await rollout(workload, context, report);
    await retryPods(context.kube, workload);
    await waitReady(workload, context, report);
  }
}

/** Hash of a workload's pod template. Undefined: the workload does not exist. */
async function podTemplate(workload: Workload, { kube }: ReadContext): Promise<string | undefined> {
  const live = await kube.read({ apiVersion: 'apps/v1', ...workload });
  return live && hashOf((live['spec'] as { template?: unknown }).template);
}

async function rollout({ kind, name, namespace }: Workload, { kubectl }: ApplyContext, report: Report): Promise<void> {
  report('its configuration was edited by hand: restarting');
  const target = `${kind.toLowerCase()}/${name}`;
  const result = await kubectl.run(['rollout', 'restart', target, '--namespace', namespace]);
  if (!result.ok)
    throw new ObsError({
      what: 'a workload cannot be restarted',
      object: `${kind} ${namespace}/${name}`,
      cause: lastLines(result.stderr),
      next: `kubectl -n ${namespace} rollout restart ${target}`,
    });
}

/** Errors of helm while another helm, left by a killed genai-obs, works on the same release. */
const CONCURRENT = new RegExp(
  'another operation .*in progress|already exists(?!.*ownership)|release: not found|' +
    'object has been modified|cannot re-use a name',
  'i',
);

/** Waits for a helm that a killed genai-obs left running, then tries again; at most three attempts. */
async function upgrade(step: ReleaseStep, context: ApplyContext, report: Report): Promise<void> {
  if (step.chart.source === 'upstream') report(`chart ${step.chart.name}`);
  const chart = await context.charts.path(step.chart);
  for (let attempt = 1; ; attempt++) {
    report('helm upgrade --install');
    try {
      return await context.helm.upgrade(step, chart, step.values);
    } catch (error) {
      const cause = error instanceof ObsError ? (error.parts.cause ?? '') : '';
      if (attempt === 3 || context.signal.aborted) throw error;
      if (CONCURRENT.test(cause)) await recover(step, context, report);
      else if (!(await deleteUnpatchable(cause, step.namespace, context, report))) throw error;
    }
  }
}

/** The object that helm 3 and 4 cannot patch; helm 3 for example: `cannot patch "tempo" with kind Service`. */
const UNPATCHABLE = new RegExp(
  String.raw`cannot patch "(?<name>[^"]+)" with kind (?<kind>\w+)|` +
    String.raw`apply failed for object [^\s/]*\/(?<name4>\S+) \S+ Kind=(?<kind4>\w+)`,
);
/** Kinds without pods or data: safe to delete and recreate. */
const REPLACEABLE = new Set(['Service', 'ConfigMap', 'RoleBinding', 'ClusterRoleBinding', 'PodDisruptionBudget']);

/** Deletes an object whose manual edit no patch can undo, such as a renumbered port or another role of a binding. */
async function deleteUnpatchable(
  cause: string,
  namespace: string,
  { kube }: ApplyContext,
  report: Report,
): Promise<boolean> {
  const found = UNPATCHABLE.exec(cause)?.groups ?? {};
  const [kind = '', name = ''] = [found['kind'] ?? found['kind4'], found['name'] ?? found['name4']];
  if (!REPLACEABLE.has(kind)) return false;
  const { apiVersion, namespaced } = kindInfo(kind);
  const live = await kube.read({ apiVersion, kind, name, ...(namespaced ? { namespace } : {}) });
  if (!live || !isOurs(live)) return false;
  report(`${kind} ${name} was edited in a way that cannot be patched: recreating it`);
  return kube.remove(refOf({ ...live, apiVersion, kind }));
}

/**
 * A crash leaves a record `pending-*`, which makes helm refuse (https://github.com/helm/helm/issues/8987). Deletes only
 * the record, after eight seconds for an orphaned helm to finish: the next upgrade adopts the live objects.
 */
async function recover(step: ReleaseStep, context: ApplyContext, report: Report): Promise<void> {
  const deadline = Date.now() + 8_000;
  for (;;) {
    const stored = await recordOf(step, { kube: context.kube });
    if (!stored || !isUnfinished(stored.status)) return;
    if (Date.now() > deadline) {
      report(`deleting the unfinished record ${stored.record}; objects and data stay`);
      await context.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: step.namespace, name: stored.record });
      return;
    }
    report(`revision ${stored.revision} is ${stored.status}: waiting for a helm that may still run`);
    await sleep(500);
  }
}

import { randomBytes } from 'node:crypto';
import type { Helm } from '../adapters/helm.ts';
import { kindInfo } from '../adapters/kinds.ts';
import { type Kube, KubeError } from '../adapters/kube.ts';
import { type Kubectl, lastLines } from '../adapters/kubectl.ts';
import type { Charts } from '../charts/source.ts';
import { hashOf } from '../core/compare.ts';
import { ObsError } from '../core/errors.ts';
import { registerSecret } from '../core/redact.ts';
import { sleep } from '../core/sleep.ts';
import { refOf } from '../core/types.ts';
import { isOurs } from './foreign.ts';
import { recordOf } from './observe.ts';
import { isGiven, notGiven, valueOf } from './secretValues.ts';
import type { FromMachine } from '../parts/types.ts';
import type { ObjectsStep, Observation, ReleaseStep, RemovalStep, SecretStep, Workload } from './types.ts';
import { readiness, retryPods } from './workload.ts';

export interface Hands {
  kube: Kube;
  helm: Helm;
  kubectl: Kubectl;
  charts: Charts;
  /** Home of the installation. */
  namespace: string;
  /** Milliseconds that one workload may take to become ready. */
  timeout: number;
  /** Aborted: start nothing new. What runs (a helm call) is let finish. */
  signal: AbortSignal;
}

type Report = (detail: string) => void;

export async function applyObjects(step: ObjectsStep, hands: Hands, report: Report): Promise<void> {
  const namespace = step.objects.find((object) => object.kind === 'Namespace');
  // A namespace that was there before stays as its owner made it.
  if (namespace && (await hands.kube.read(refOf(namespace)))) return;
  const workloads = step.workloads ?? [];
  const generations = await Promise.all(workloads.map((workload) => generationOf(workload, hands)));
  await hands.kube.apply(step.objects);
  for (const [i, workload] of workloads.entries()) {
    // The operator makes of it what it makes of it a moment later: the old pods' being ready says nothing.
    for (
      let waited = 0;
      waited < RECONCILED && generations[i] !== undefined && generations[i] === (await generationOf(workload, hands));
      waited += 200
    )
      await sleep(200);
    await waitReady(workload, hands, report);
  }
}

/** Milliseconds in which an operator sees a change; one that changes nothing for the pods leaves the workload as it is. */
const RECONCILED = 3_000;

/** Undefined: there is no such workload yet. */
async function generationOf(workload: Workload, hands: Hands): Promise<number | undefined> {
  const live = await hands.kube.read({ apiVersion: 'apps/v1', ...workload });
  return (live?.metadata as { generation?: number } | undefined)?.generation;
}

/** Creates the Secret, or adds missing keys; a value that is there is never replaced. */
export async function applySecret(step: SecretStep, hands: Hands): Promise<void> {
  const live = await hands.kube.read(refOf(step.object));
  const data = { ...((live?.['data'] ?? {}) as Record<string, string>) };
  for (const [key, fixed] of Object.entries(step.keys)) {
    if (data[key]) continue;
    const value = isGiven(fixed) ? valueOf(fixed) : (fixed ?? randomBytes(18).toString('base64url'));
    if (value === undefined) throw notGiven({ step, key, source: fixed as FromMachine });
    if (fixed === null) registerSecret(value);
    data[key] = Buffer.from(value).toString('base64');
  }
  // Through the API directly: the value touches neither argv nor a file.
  if (live) await hands.kube.replace({ ...live, data });
  else await hands.kube.create({ ...step.object, data });
}

/** Removes what the look has found; claims and secrets belong to no chart and stay. */
export async function applyRemoval(step: RemovalStep, seen: Observation, hands: Hands, report: Report): Promise<void> {
  report('helm uninstall');
  await hands.helm.uninstall(step);
  for (const ref of step.objects)
    if (seen.changes.some((change) => change.ref.kind === ref.kind && change.ref.name === ref.name))
      await hands.kube.remove(ref);
}

/** `reread`: a ConfigMap that the pods read at their start was put back to what it should be. */
export async function applyRelease(
  step: ReleaseStep,
  seen: Observation,
  hands: Hands,
  report: Report,
  reread = false,
): Promise<void> {
  if (seen.state === 'stuck') await recover(step, hands, report);
  const templates = (): Promise<(string | undefined)[]> =>
    Promise.all(step.workloads.map((workload) => podTemplate(workload, hands)));
  const before = await templates();
  // An upstream archive that was mended in its mirror keeps its version; ours count by a digest.
  const mayDiffer = seen.state === 'unready' ? step.chart.source === 'upstream' : seen.state !== 'done';
  if (mayDiffer) await upgrade(step, hands, report);
  const after = await templates();
  for (const [i, workload] of step.workloads.entries()) {
    // An upgrade that changes the pods restarts them by itself.
    if (before[i] && (reread || wasEdited(seen)) && before[i] === after[i]) await restart(workload, hands, report);
    await retryPods(hands.kube, workload);
    await waitReady(workload, hands, report);
  }
}

/** A ConfigMap was changed by hand: pods may have started with that. */
export function wasEdited(seen: Observation): boolean {
  return seen.changes.some(({ ref, action }) => ref.kind === 'ConfigMap' && action === 'change');
}

/** Undefined: there is no such workload. */
async function podTemplate(workload: Workload, hands: Hands): Promise<string | undefined> {
  const live = await hands.kube.read({ apiVersion: 'apps/v1', ...workload });
  return live && hashOf((live['spec'] as { template?: unknown }).template);
}

async function restart({ kind, name, namespace }: Workload, hands: Hands, report: Report): Promise<void> {
  report('its configuration was edited by hand: restarting');
  const result = await hands.kubectl.run([
    'rollout',
    'restart',
    `${kind.toLowerCase()}/${name}`,
    '--namespace',
    namespace,
  ]);
  if (!result.ok)
    throw new ObsError({
      what: 'a workload cannot be restarted',
      object: `${kind} ${namespace}/${name}`,
      cause: lastLines(result.stderr),
      next: `kubectl -n ${namespace} rollout restart ${kind.toLowerCase()}/${name}`,
    });
}

/** What helm says when another helm, left behind by a killed genai-obs, works on the same release. */
const CROSSED =
  /another operation .*in progress|already exists(?!.*ownership)|release: not found|object has been modified|cannot re-use a name/i;

/** How helm 3 and 4 name an object that they cannot bring back: with helm 3 `cannot patch "tempo" with kind Service`. */
const REFUSED =
  /cannot patch "(?<name>[^"]+)" with kind (?<kind>\w+)|apply failed for object [^\s/]*\/(?<name4>\S+) \S+ Kind=(?<kind4>\w+)/;
/** Hold neither pods nor data: they can be made anew. */
const REPLACEABLE = new Set(['Service', 'ConfigMap', 'RoleBinding', 'ClusterRoleBinding', 'PodDisruptionBudget']);

/** A helm that was left behind may begin after we looked: its end is waited for, then it is our turn. */
async function upgrade(step: ReleaseStep, hands: Hands, report: Report): Promise<void> {
  if (step.chart.source === 'upstream') report(`chart ${step.chart.name}`);
  const chart = await hands.charts.path(step.chart);
  for (let attempt = 1; ; attempt++) {
    report('helm upgrade --install');
    try {
      return await hands.helm.upgrade(step, chart, step.values);
    } catch (error) {
      const cause = error instanceof ObsError ? (error.parts.cause ?? '') : '';
      if (attempt === 3 || hands.signal.aborted) throw error;
      if (CROSSED.test(cause)) await recover(step, hands, report);
      else if (!(await makeRoom(cause, step.namespace, hands, report))) throw error;
    }
  }
}

/** Some edits cannot be taken back by a patch: a port of a Service under another number, the role of a binding. Then the object is made anew. */
async function makeRoom(cause: string, namespace: string, hands: Hands, report: Report): Promise<boolean> {
  const found = REFUSED.exec(cause)?.groups ?? {};
  const [kind = '', name = ''] = [found['kind'] ?? found['kind4'], found['name'] ?? found['name4']];
  if (!REPLACEABLE.has(kind)) return false;
  const { apiVersion, namespaced } = kindInfo(kind);
  const live = await hands.kube.read({ apiVersion, kind, name, ...(namespaced ? { namespace } : {}) });
  if (!live || !isOurs(live)) return false;
  report(`${kind} ${name} was edited in a way that cannot be patched: making it anew`);
  return hands.kube.remove(refOf({ ...live, apiVersion, kind }));
}

/**
 * A crash left helm's record `pending-*`, and helm refuses to go on (helm#8987). An orphaned helm may still be at work:
 * it gets a few seconds. Then only the unfinished record is dropped; live objects and data stay, the next upgrade adopts them.
 */
async function recover(step: ReleaseStep, hands: Hands, report: Report): Promise<void> {
  const until = Date.now() + 8_000;
  for (;;) {
    const stored = await recordOf(step, { ...hands, releases: undefined });
    if (!stored || !(stored.status.startsWith('pending-') || stored.status === 'uninstalling')) return;
    if (Date.now() > until) {
      report(`dropping the unfinished record ${stored.record}; objects and data stay`);
      await hands.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: step.namespace, name: stored.record });
      return;
    }
    report(`revision ${stored.revision} is ${stored.status}: waiting for a helm that may still run`);
    await sleep(500);
  }
}

/** Longest time for which a bad sign (unschedulable, crash) may still mend itself. */
const STUCK_GRACE = 45_000;

export async function waitReady(workload: Workload, hands: Hands, report: Report): Promise<void> {
  const start = Date.now();
  let stuckSince: number | undefined;
  let last = '';
  for (;;) {
    const now = await readinessOrRetry(workload, hands);
    if (now.ready) return;
    if (now.detail !== last) report((last = now.detail));
    if (hands.signal.aborted)
      throw new ObsError({
        what: 'stopped while waiting',
        object: `${workload.kind} ${workload.namespace}/${workload.name}`,
        cause: now.detail,
        exit: 130,
      });
    stuckSince = now.stuck ? (stuckSince ?? Date.now()) : undefined;
    const object = `${workload.kind} ${workload.namespace}/${workload.name}`;
    const next = `kubectl -n ${workload.namespace} describe ${workload.kind.toLowerCase()}/${workload.name}; then run the same install again: it carries on`;
    if (now.stuck && stuckSince && Date.now() - stuckSince > STUCK_GRACE)
      throw new ObsError({ what: 'a workload cannot start', object, cause: now.stuck, next });
    if (Date.now() - start > hands.timeout)
      throw new ObsError({
        what: `a workload did not become ready within ${Math.round(hands.timeout / 1000)} s`,
        object,
        cause: now.stuck ?? now.detail,
        next,
      });
    await sleep(250);
  }
}

/** The API server may be busy for a moment while everything starts. */
async function readinessOrRetry(workload: Workload, hands: Hands): ReturnType<typeof readiness> {
  try {
    return await readiness(hands.kube, workload);
  } catch (error) {
    if (error instanceof KubeError && (error.status === 0 || error.status >= 500))
      return { ready: false, detail: `the API server does not answer: ${error.message}` };
    throw error;
  }
}

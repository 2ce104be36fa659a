import { setTimeout as sleep } from 'node:timers/promises';
import { restPath } from '../../adapters/kinds.ts';
import { type Kube, KubeError } from '../../adapters/kube.ts';
import { ObsError } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Waiting } from './waiting.ts';
import { explainPod, isFinished, podsOf } from './pods.ts';
import type { Observation, ReadContext, Report, Workload } from './types.ts';

export interface Readiness {
  ready: boolean;
  /** For example `0 of 1 ready: loki-0 cannot pull docker.io/grafana/loki:3.7.6`. */
  detail: string;
  /** Set when waiting longer is unlikely to help; the text is the cause. */
  stuck?: string;
}

interface Status {
  observedGeneration?: number;
  replicas?: number;
  readyReplicas?: number;
  updatedReplicas?: number;
  desiredNumberScheduled?: number;
  numberReady?: number;
  updatedNumberScheduled?: number;
}

/** Whether every wanted replica is updated and ready, judged by the live object alone. */
export function isReady(live: KubeObject): { ready: boolean; have: number; want: number } {
  const spec = live['spec'] as { replicas?: number };
  const status = (live['status'] ?? {}) as Status;
  const current = (status.observedGeneration ?? 0) >= ((live.metadata as { generation?: number }).generation ?? 0);
  if (live.kind === 'DaemonSet') {
    const want = status.desiredNumberScheduled ?? 0;
    const have = status.numberReady ?? 0;
    return { ready: current && want > 0 && have >= want && (status.updatedNumberScheduled ?? 0) >= want, have, want };
  }
  const want = spec.replicas ?? 1;
  const have = status.readyReplicas ?? 0;
  const settled = (status.updatedReplicas ?? 0) >= want && (status.replicas ?? 0) <= want;
  return { ready: current && have >= want && settled, have, want };
}

/** Reads a workload and, while it is not ready, why. @throws KubeError */
export async function readiness(kube: Kube, workload: Workload): Promise<Readiness> {
  const { namespace } = workload;
  const live = await kube.read({ apiVersion: 'apps/v1', kind: workload.kind, namespace, name: workload.name });
  if (!live) return { ready: false, detail: `${workload.kind} ${workload.name} does not exist` };
  const { ready, have, want } = isReady(live);
  const count = `${have} of ${want} ready`;
  if (ready) return { ready, detail: count };
  const pods = await podsOf(kube, namespace, live);
  const waiting = pods
    .filter((pod) => !pod.metadata.deletionTimestamp)
    .sort((a, b) => Number(isFinished(a)) - Number(isFinished(b)))
    .map(explainPod)
    .find((text) => text !== undefined);
  if (waiting) return { ready: false, ...waiting, detail: `${count}: ${waiting.detail}` };
  const refused = pods.length === 0 ? await refusal(kube, namespace, live) : undefined;
  if (!refused) return { ready: false, detail: count };
  return { ready: false, detail: `no pod: ${refused}`, stuck: refused };
}

/** Why a controller creates no pods: quota, admission, a missing service account. */
async function refusal(kube: Kube, namespace: string, live: KubeObject): Promise<string | undefined> {
  const { items } = await kube.json<{ items: { message?: string; involvedObject?: { name?: string } }[] }>(
    `${restPath('Event', namespace)}?fieldSelector=reason%3DFailedCreate`,
  );
  const own = items.filter((event) => event.involvedObject?.name?.startsWith(live.metadata.name));
  return own.length ? oneLine(own.at(-1)?.message ?? '', 300) : undefined;
}

export async function notReady(workloads: Workload[], { kube }: ReadContext): Promise<Observation | undefined> {
  for (const workload of workloads) {
    const { ready, detail } = await readiness(kube, workload);
    if (!ready) return { state: 'unready', changes: [], detail };
  }
  return undefined;
}

/** Milliseconds for which a bad sign (unschedulable, crash) may still resolve itself. */
const STUCK_GRACE = 45_000;

/** Waits until a workload is ready. @throws ObsError when it cannot start, or not within `context.timeout` */
export async function waitReady(workload: Workload, context: Waiting, report: Report): Promise<void> {
  const object = `${workload.kind} ${workload.namespace}/${workload.name}`;
  const describe = `kubectl -n ${workload.namespace} describe ${workload.kind.toLowerCase()}/${workload.name}`;
  const next = `${describe}; then run install again: it resumes`;
  const start = Date.now();
  let stuckSince: number | undefined;
  let last = '';
  for (;;) {
    const now = await readinessOrRetry(workload, context);
    if (now.ready) return;
    if (now.detail !== last) report((last = now.detail));
    if (context.signal.aborted)
      throw new ObsError({ what: 'stopped while waiting', object, cause: now.detail, exit: 130 });
    stuckSince = now.stuck ? (stuckSince ?? Date.now()) : undefined;
    if (now.stuck && stuckSince && Date.now() - stuckSince > STUCK_GRACE)
      throw new ObsError({ what: 'a workload cannot start', object, cause: now.stuck, next });
    if (Date.now() - start > context.timeout)
      throw new ObsError({
        what: `a workload did not become ready within ${Math.round(context.timeout / 1000)} s`,
        object,
        cause: now.stuck ?? now.detail,
        next,
      });
    await sleep(250);
  }
}

/** The API server may be overloaded for a moment while everything starts. */
async function readinessOrRetry(workload: Workload, { kube }: Waiting): Promise<Readiness> {
  try {
    return await readiness(kube, workload);
  } catch (error) {
    if (error instanceof KubeError && ([0, 429].includes(error.status) || error.status >= 500))
      return { ready: false, detail: `the API server does not answer: ${error.message}` };
    throw error;
  }
}

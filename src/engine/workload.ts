import { restPath } from '../adapters/kinds.ts';
import { type Kube, KubeError } from '../adapters/kube.ts';
import type { KubeObject } from '../core/types.ts';
import type { Workload } from './types.ts';

/** Readiness of a workload as people need to hear it. */
export interface Readiness {
  ready: boolean;
  /** For example `0 of 1 ready: loki-0 pulls docker.io/grafana/loki:3.7.6`. */
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

interface ContainerStatus {
  name: string;
  image: string;
  ready: boolean;
  started?: boolean;
  restartCount: number;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: object;
    terminated?: { reason?: string; exitCode?: number; message?: string };
  };
  lastState?: { terminated?: { reason?: string; exitCode?: number; message?: string } };
}

/** Readiness of the live object alone: every wanted replica updated and ready. */
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

export async function readiness(kube: Kube, workload: Workload): Promise<Readiness> {
  const { namespace } = workload;
  const live = await kube.read({ apiVersion: 'apps/v1', kind: workload.kind, namespace, name: workload.name });
  if (!live) return { ready: false, detail: `${workload.kind} ${workload.name} is not there` };
  const { ready, have, want } = isReady(live);
  if (ready) return { ready, detail: `${have} of ${want} ready` };
  const pods = await podsOf(kube, namespace, live);
  const waiting = pods
    .filter((pod) => !pod.metadata.deletionTimestamp)
    .sort((a, b) => Number(isOver(a)) - Number(isOver(b)))
    .map(explainPod)
    .find((text) => text !== undefined);
  if (waiting)
    return {
      ready: false,
      detail: `${have} of ${want} ready: ${waiting.detail}`,
      ...(waiting.stuck ? { stuck: waiting.stuck } : {}),
    };
  const refused = pods.length === 0 ? await refusal(kube, namespace, live) : undefined;
  return {
    ready: false,
    detail: refused ? `no pod: ${refused}` : `${have} of ${want} ready`,
    ...(refused ? { stuck: refused } : {}),
  };
}

function podsOf(kube: Kube, namespace: string, live: KubeObject): Promise<KubeObject[]> {
  const labels = (live['spec'] as { selector?: { matchLabels?: Record<string, string> } }).selector?.matchLabels ?? {};
  const selector = Object.entries(labels)
    .map(([k, v]) => `${k}=${v}`)
    .join(',');
  return kube.list('Pod', namespace, selector);
}

/** What the kubelet says of a container whose image it cannot get, in turns. */
const NO_IMAGE = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName']);

/**
 * Deletes pods that stand in the way of an attempt: those whose image could not be pulled in an earlier one (the kubelet waits up to
 * five minutes between two pulls, a new pod tries at once; such a pod has never run), and those of a StatefulSet's old template that
 * are not ready, for which its controller would wait for ever.
 */
export async function retryPods(kube: Kube, workload: Workload): Promise<void> {
  const { namespace } = workload;
  const live = await kube.read({ apiVersion: 'apps/v1', kind: workload.kind, namespace, name: workload.name });
  for (const pod of live ? await podsOf(kube, namespace, live) : []) {
    const { containerStatuses = [] } = (pod['status'] ?? {}) as { containerStatuses?: ContainerStatus[] };
    const neverRan = containerStatuses.every((c) => c.restartCount === 0 && !c.state?.running && !c.state?.terminated);
    if (
      (neverRan && containerStatuses.some((c) => NO_IMAGE.has(c.state?.waiting?.reason ?? ''))) ||
      isOutdated(live, pod)
    )
      await kube
        .remove({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod.metadata.name })
        .catch((error: unknown) => {
          // Who may not delete pods waits for the kubelet.
          if (!(error instanceof KubeError && error.status === 403)) throw error;
        });
  }
}

function isOutdated(live: KubeObject | undefined, pod: KubeObject): boolean {
  const { updateRevision } = (live?.['status'] ?? {}) as { updateRevision?: string };
  const { containerStatuses = [] } = (pod['status'] ?? {}) as { containerStatuses?: ContainerStatus[] };
  const revision = pod.metadata.labels?.['controller-revision-hash'];
  const old =
    live?.kind === 'StatefulSet' &&
    updateRevision !== undefined &&
    revision !== undefined &&
    revision !== updateRevision;
  return old && containerStatuses.some((c) => !c.ready && c.restartCount > 0);
}

/** Evicted pods stay as a record; the controller has made another one. */
function isOver(pod: KubeObject): boolean {
  return ['Failed', 'Succeeded'].includes((pod['status'] as { phase?: string } | undefined)?.phase ?? '');
}

/** Split in the phases that fail for different reasons: scheduling, pulling, starting, getting ready. */
function explainPod(pod: KubeObject): { detail: string; stuck?: string } | undefined {
  const name = pod.metadata.name;
  const status = (pod['status'] ?? {}) as {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: ContainerStatus[];
  };
  if (isOver(pod))
    return {
      detail: `${name} is over: ${oneLine([status.reason ?? status.phase, status.message].filter(Boolean).join(': '))}`,
    };
  const scheduled = status.conditions?.find((c) => c.type === 'PodScheduled');
  if (scheduled?.status === 'False')
    return {
      detail: `${name} waits for a node: ${scheduled.message ?? scheduled.reason ?? ''}`,
      stuck: `${name} cannot be scheduled: ${scheduled.message ?? ''}`,
    };
  const containers = status.containerStatuses ?? [];
  for (const c of containers) {
    const wait = c.state?.waiting;
    if (wait && NO_IMAGE.has(wait.reason ?? ''))
      return {
        detail: `${name} cannot pull ${c.image}`,
        stuck: `the image ${c.image} of ${name} cannot be pulled: ${oneLine(wait.message)}`,
      };
    if (wait?.reason === 'CrashLoopBackOff' || (c.restartCount > 1 && !c.ready && c.lastState?.terminated)) {
      const last = c.lastState?.terminated;
      return {
        detail: `${name} crashes (${c.restartCount} restarts, ${last?.reason ?? 'unknown reason'})`,
        stuck: `${name} ends again and again: ${last?.reason ?? ''} exit code ${last?.exitCode ?? '?'} ${oneLine(last?.message)}`,
      };
    }
    if (
      wait?.reason === 'CreateContainerConfigError' ||
      wait?.reason === 'CreateContainerError' ||
      wait?.reason === 'RunContainerError'
    )
      return {
        detail: `${name}: ${oneLine(wait.message)}`,
        stuck: `${name} cannot be started: ${oneLine(wait.message)}`,
      };
    if (wait)
      return {
        detail: `${name} ${wait.reason === 'ContainerCreating' || wait.reason === 'PodInitializing' ? 'is being created (volumes, image)' : (wait.reason ?? 'waits')}`,
      };
    const end = c.state?.terminated;
    if (end)
      return {
        detail: `${name} ended (${end.reason ?? 'unknown reason'}, exit code ${end.exitCode ?? '?'}) and is started again`,
      };
    if (!c.ready) return { detail: `${name} runs, not ready yet` };
  }
  if (containers.length === 0) return { detail: `${name} is being created` };
  return undefined;
}

function oneLine(text: string | undefined): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 297)}...` : line;
}

/** Why a controller makes no pods: quota, admission, a missing service account. */
async function refusal(kube: Kube, namespace: string, live: KubeObject): Promise<string | undefined> {
  const { items } = await kube.json<{
    items: { message?: string; reason?: string; involvedObject?: { name?: string } }[];
  }>(`${restPath('Event', namespace)}?fieldSelector=reason%3DFailedCreate`);
  const own = items.filter((event) => event.involvedObject?.name?.startsWith(live.metadata.name));
  return own.length ? oneLine(own.at(-1)?.message) : undefined;
}

import { type Kube, KubeError } from '../../adapters/kube.ts';
import { oneLine } from '../../core/text.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Workload } from './types.ts';

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

interface PodStatus {
  phase?: string;
  reason?: string;
  message?: string;
  conditions?: { type: string; status: string; reason?: string; message?: string }[];
  containerStatuses?: ContainerStatus[];
}

const statusOf = (pod: KubeObject): PodStatus => pod['status'] ?? {};

/** Pods that a workload's selector matches. @throws KubeError */
export function podsOf(kube: Kube, namespace: string, live: KubeObject): Promise<KubeObject[]> {
  const labels = (live['spec'] as { selector?: { matchLabels?: Record<string, string> } }).selector?.matchLabels ?? {};
  const selector = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return kube.list('Pod', namespace, selector.join(','));
}

/** Evicted pods remain as a record; their controller has created a replacement. */
export const isFinished = (pod: KubeObject): boolean => ['Failed', 'Succeeded'].includes(statusOf(pod).phase ?? '');

/** Reasons of the kubelet for a container whose image it cannot get, in turns. */
const NO_IMAGE = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName']);

/**
 * Deletes pods whose image could not be pulled (the kubelet waits up to 5 minutes, a new pod tries at once), and
 * unready pods of a StatefulSet's old template, on which its controller waits without limit.
 */
export async function retryPods(kube: Kube, workload: Workload): Promise<void> {
  const { namespace } = workload;
  const live = await kube.read({ apiVersion: 'apps/v1', kind: workload.kind, namespace, name: workload.name });
  for (const pod of live ? await podsOf(kube, namespace, live) : []) {
    const { containerStatuses = [] } = statusOf(pod);
    const neverRan = containerStatuses.every((c) => c.restartCount === 0 && !c.state?.running && !c.state?.terminated);
    const noImage = containerStatuses.some((c) => NO_IMAGE.has(c.state?.waiting?.reason ?? ''));
    if (!(neverRan && noImage) && !isOutdated(live, pod)) continue;
    await kube.remove({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod.metadata.name }).catch((error: unknown) => {
      // Without the right to delete pods we wait for the kubelet.
      if (!(error instanceof KubeError && error.status === 403)) throw error;
    });
  }
}

function isOutdated(live: KubeObject | undefined, pod: KubeObject): boolean {
  if (live?.kind !== 'StatefulSet') return false;
  const { updateRevision } = (live['status'] ?? {}) as { updateRevision?: string };
  const revision = pod.metadata.labels?.['controller-revision-hash'];
  const old = updateRevision !== undefined && revision !== undefined && revision !== updateRevision;
  return old && (statusOf(pod).containerStatuses ?? []).some((c) => !c.ready && c.restartCount > 0);
}

export interface Explanation {
  detail: string;
  /** Set when waiting longer is unlikely to help. */
  stuck?: string;
}

/** Why a pod is not ready, by the phases that fail for different reasons: scheduling, pulling, starting, probing. */
export function explainPod(pod: KubeObject): Explanation | undefined {
  const { name } = pod.metadata;
  const status = statusOf(pod);
  if (isFinished(pod)) {
    const reason = [status.reason ?? status.phase, status.message].filter(Boolean).join(': ');
    return { detail: `${name} has ended: ${oneLine(reason, 300)}` };
  }
  const scheduled = status.conditions?.find((c) => c.type === 'PodScheduled');
  if (scheduled?.status === 'False')
    return {
      detail: `${name} waits for a node: ${scheduled.message ?? scheduled.reason ?? ''}`,
      stuck: `${name} cannot be scheduled: ${scheduled.message ?? ''}`,
    };
  const containers = status.containerStatuses ?? [];
  if (containers.length === 0) return { detail: `${name} is being created` };
  return containers.map((container) => explainContainer(name, container)).find((text) => text !== undefined);
}

const CREATE_ERRORS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);

function explainContainer(pod: string, container: ContainerStatus): Explanation | undefined {
  const { image, ready, restartCount, state, lastState } = container;
  const { reason = '', message = '' } = state?.waiting ?? {};
  const text = oneLine(message, 300);
  if (NO_IMAGE.has(reason))
    return { detail: `${pod} cannot pull ${image}`, stuck: `the image ${image} of ${pod} cannot be pulled: ${text}` };
  const last = lastState?.terminated;
  if (reason === 'CrashLoopBackOff' || (restartCount > 1 && !ready && last)) {
    const exit = `${last?.reason ?? ''} exit code ${last?.exitCode ?? '?'} ${oneLine(last?.message ?? '', 300)}`;
    return {
      detail: `${pod} crashes (${restartCount} restarts, ${last?.reason ?? 'unknown reason'})`,
      stuck: `${pod} exits repeatedly: ${exit}`,
    };
  }
  if (CREATE_ERRORS.has(reason)) return { detail: `${pod}: ${text}`, stuck: `${pod} cannot be started: ${text}` };
  if (state?.waiting) {
    const creating = reason === 'ContainerCreating' || reason === 'PodInitializing';
    return { detail: `${pod} ${creating ? 'is being created (volumes, image)' : reason || 'waits'}` };
  }
  const end = state?.terminated;
  if (end) {
    const exit = `${end.reason ?? 'unknown reason'}, exit code ${end.exitCode ?? '?'}`;
    return { detail: `${pod} ended (${exit}) and is being restarted` };
  }
  return ready ? undefined : { detail: `${pod} is running but not ready yet` };
}

import { placeOf, podLabelsOf, type PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Look } from '../../doctor/types.ts';
import type { Read } from './define.ts';
import { arr, at, rec, str } from './json.ts';
import { listIn } from './place.ts';

export function workloadOf(look: Look, id: PlacedId): KubeObject | undefined {
  const { workload, namespace } = look.place(id);
  return look.find(workload.kind, workload.name, namespace);
}

export function workloadKey(id: PlacedId): Read {
  return (config) => `k8s:${placeOf(config, id).workload.kind}`;
}

export function selects(labels: unknown, pod: KubeObject): boolean {
  const wanted = Object.entries(rec(labels));
  return wanted.length > 0 && wanted.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

/** Pods of a component: by its workload's selector, or by the labels of our charts when the workload is gone. */
export function podsOf(look: Look, id: PlacedId): KubeObject[] {
  const place = look.place(id);
  const selector = rec(workloadOf(look, id), 'spec', 'selector', 'matchLabels');
  const ours = place.chart === 'genai-obs' ? podLabelsOf(place) : {};
  const labels = Object.keys(selector).length ? selector : ours;
  return listIn(look, 'Pod', place.namespace).filter((pod) => selects(labels, pod));
}

export function isReady(pod: KubeObject): boolean {
  return condition(pod, 'Ready')?.['status'] === 'True' && !pod.metadata.deletionTimestamp;
}

export function condition(object: unknown, type: string): Record<string, unknown> | undefined {
  return arr(object, 'status', 'conditions')
    .map((one) => rec(one))
    .find((one) => one['type'] === type);
}

/** Message of the newest event about an object, of one of these reasons. */
export function eventOf(
  events: KubeObject[],
  kind: string,
  name: string | RegExp,
  reasons: RegExp,
): { reason: string; message: string } | undefined {
  const stamp = (event: KubeObject) =>
    Date.parse(str(event, 'lastTimestamp') ?? str(event, 'eventTime') ?? event.metadata.creationTimestamp ?? '') || 0;
  const found = events
    .filter((event) => {
      const about = str(event, 'involvedObject', 'name') ?? '';
      return (
        at(event, 'involvedObject', 'kind') === kind &&
        (typeof name === 'string' ? about === name : name.test(about)) &&
        reasons.test(str(event, 'reason') ?? '')
      );
    })
    .sort((a, b) => stamp(b) - stamp(a))[0];
  return found && { reason: str(found, 'reason') ?? '', message: str(found, 'message') ?? '' };
}

export interface ContainerState {
  name: string;
  image: string;
  ready: boolean;
  restarts: number;
  waiting: { reason: string; message: string };
  /** How it ended: now, or the time before. */
  ended: { reason: string; message: string; exitCode: number | undefined; at: number };
  memoryLimit: string | undefined;
}

export function containersOf(pod: KubeObject): ContainerState[] {
  const specs = [...arr(pod, 'spec', 'initContainers'), ...arr(pod, 'spec', 'containers')];
  return [...arr(pod, 'status', 'initContainerStatuses'), ...arr(pod, 'status', 'containerStatuses')].map((status) => {
    const spec = specs.find((one) => str(one, 'name') === str(status, 'name'));
    const ended =
      rec(status, 'state', 'terminated')['reason'] !== undefined
        ? rec(status, 'state', 'terminated')
        : rec(status, 'lastState', 'terminated');
    return {
      name: str(status, 'name') ?? '',
      image: str(spec, 'image') ?? str(status, 'image') ?? '',
      ready: at(status, 'ready') === true,
      restarts: Number(at(status, 'restartCount') ?? 0),
      waiting: {
        reason: str(status, 'state', 'waiting', 'reason') ?? '',
        message: str(status, 'state', 'waiting', 'message') ?? '',
      },
      ended: {
        reason: str(ended, 'reason') ?? '',
        message: str(ended, 'message') ?? '',
        exitCode: typeof ended['exitCode'] === 'number' ? ended['exitCode'] : undefined,
        at: Date.parse(str(ended, 'finishedAt') ?? '') || 0,
      },
      memoryLimit: str(spec, 'resources', 'limits', 'memory'),
    };
  });
}

/** Names of the claims that a pod mounts. */
export function claimsOf(pod: KubeObject): string[] {
  return arr(pod, 'spec', 'volumes').flatMap((volume) => str(volume, 'persistentVolumeClaim', 'claimName') ?? []);
}

import { asText, listAt, mapAt, numberAt, textAt, at } from '../../core/json.ts';
import { PART_OF, PART_OF_LABEL } from '../../core/labels.ts';
import { quantity } from '../../core/quantity.ts';
import { oneLine } from '../../core/text.ts';
import type { JsonMap, KubeObject } from '../../core/types.ts';
import { type PlacedId, podLabelsOf } from '../../parts/catalog.ts';
import type { Facts } from './facts.ts';

/** Kubernetes objects as checks and collectors read them. */

export function isOurs(object: KubeObject): boolean {
  return object.metadata.labels?.[PART_OF_LABEL] === PART_OF;
}

export function phaseOf(object: KubeObject): string {
  return textAt(object, 'status', 'phase') ?? '';
}

export function condition(object: unknown, type: string): JsonMap | undefined {
  return listAt(object, 'status', 'conditions')
    .map((one) => mapAt(one))
    .find((one) => one['type'] === type);
}

/** A pod or node that is Ready and not being deleted. */
export function isReady(object: KubeObject): boolean {
  return condition(object, 'Ready')?.['status'] === 'True' && !object.metadata.deletionTimestamp;
}

/** A pod that still holds the resources it requested. */
export function isLive(pod: KubeObject): boolean {
  return phaseOf(pod) !== 'Succeeded' && phaseOf(pod) !== 'Failed';
}

/** Cores and bytes that a pod requests. */
export function requestsOf(pod: KubeObject): { cpu: number; memory: number } {
  const sum = (resource: string) =>
    listAt(pod, 'spec', 'containers').reduce<number>(
      (total, one) => total + quantity(textAt(one, 'resources', 'requests', resource)),
      0,
    );
  return { cpu: sum('cpu'), memory: sum('memory') };
}

/** Command and arguments of each container. */
export function commandLines(pod: KubeObject): string[][] {
  return listAt(pod, 'spec', 'containers').map((one) =>
    [...listAt(one, 'command'), ...listAt(one, 'args')].map(String),
  );
}

export function imagesOf(pod: unknown): string[] {
  return listAt(pod, 'spec', 'containers').map((one) => textAt(one, 'image') ?? '');
}

export function storageClassOf(object: KubeObject): string | undefined {
  return textAt(object, 'spec', 'storageClassName');
}

/** Seconds since an object was created. */
export function ageOf(facts: Facts, { metadata: { creationTimestamp } }: KubeObject): number {
  return creationTimestamp ? (facts.now() - Date.parse(creationTimestamp)) / 1000 : 0;
}

/** Names of the claims that a pod, or the pods of a workload, mount. */
export function claimNamesOf(pod: unknown): string[] {
  return listAt(pod, 'spec', 'volumes').flatMap((one) => textAt(one, 'persistentVolumeClaim', 'claimName') ?? []);
}

/** Whether a pod has all labels of a selector; an empty selector selects nothing. */
export function selects(labels: unknown, pod: KubeObject): boolean {
  const wanted = Object.entries(mapAt(labels));
  return wanted.length > 0 && wanted.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

/** `app=loki,part=read`. */
export function labelText(labels: unknown): string {
  return Object.entries(mapAt(labels))
    .map(([key, value]) => `${key}=${asText(value)}`)
    .join(',');
}

/** Objects of a kind in one namespace of the installation. */
export function objectsIn(facts: Facts, kind: string, namespace: string): KubeObject[] {
  return facts.objects(kind).filter(({ metadata }) => (metadata.namespace ?? namespace) === namespace);
}

export function workloadOf(facts: Facts, id: PlacedId): KubeObject | undefined {
  const { workload, namespace } = facts.place(id);
  return facts.find(workload.kind, workload.name, namespace);
}

/** Pods of a component: by the selector of its workload, or by the labels of our chart when that does not exist. */
export function podsOf(facts: Facts, id: PlacedId): KubeObject[] {
  const place = facts.place(id);
  const selector = mapAt(workloadOf(facts, id), 'spec', 'selector', 'matchLabels');
  const ours = place.chart === 'genai-obs' ? podLabelsOf(place) : {};
  const labels = Object.keys(selector).length ? selector : ours;
  return objectsIn(facts, 'Pod', place.namespace).filter((pod) => selects(labels, pod));
}

/** When an event last happened, in milliseconds; 0 when it says nothing of it. */
export function timeOfEvent(event: KubeObject): number {
  const { creationTimestamp } = event.metadata;
  return Date.parse(textAt(event, 'lastTimestamp') ?? textAt(event, 'eventTime') ?? creationTimestamp ?? '') || 0;
}

/** The newest event about an object, of one of these reasons. */
export function eventOf(
  events: KubeObject[],
  kind: string,
  name: string | RegExp,
  reasons = /./,
): { reason: string; message: string } | undefined {
  const [found] = events
    .filter((event) => {
      const about = textAt(event, 'involvedObject', 'name') ?? '';
      return (
        at(event, 'involvedObject', 'kind') === kind &&
        (typeof name === 'string' ? about === name : name.test(about)) &&
        reasons.test(textAt(event, 'reason') ?? '')
      );
    })
    .toSorted((a, b) => timeOfEvent(b) - timeOfEvent(a));
  return found && { reason: textAt(found, 'reason') ?? '', message: oneLine(textAt(found, 'message') ?? '') };
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

/** States of the init containers and containers of a pod. */
export function containersOf(pod: KubeObject): ContainerState[] {
  const specs = [...listAt(pod, 'spec', 'initContainers'), ...listAt(pod, 'spec', 'containers')];
  const states = [...listAt(pod, 'status', 'initContainerStatuses'), ...listAt(pod, 'status', 'containerStatuses')];
  return states.map((status) => {
    const spec = specs.find((one) => textAt(one, 'name') === textAt(status, 'name'));
    const now = mapAt(status, 'state', 'terminated');
    const ended = now['reason'] === undefined ? mapAt(status, 'lastState', 'terminated') : now;
    return {
      name: textAt(status, 'name') ?? '',
      image: textAt(spec, 'image') ?? textAt(status, 'image') ?? '',
      ready: at(status, 'ready') === true,
      restarts: numberAt(status, 'restartCount') ?? 0,
      waiting: {
        reason: textAt(status, 'state', 'waiting', 'reason') ?? '',
        message: textAt(status, 'state', 'waiting', 'message') ?? '',
      },
      ended: {
        reason: textAt(ended, 'reason') ?? '',
        message: textAt(ended, 'message') ?? '',
        exitCode: numberAt(ended, 'exitCode'),
        at: Date.parse(textAt(ended, 'finishedAt') ?? '') || 0,
      },
      memoryLimit: textAt(spec, 'resources', 'limits', 'memory'),
    };
  });
}

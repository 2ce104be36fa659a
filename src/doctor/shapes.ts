import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { quantity } from './quantity.ts';

/** Typed views of the parts of Kubernetes objects that several checks read; absent parts are empty. */

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export function statusOf<T extends object>(object: KubeObject): Partial<T> {
  return object['status'] ?? {};
}

export function specOf<T extends object>(object: KubeObject): Partial<T> {
  return object['spec'] ?? {};
}

export function conditions(object: KubeObject): Condition[] {
  return statusOf<{ conditions: Condition[] }>(object).conditions ?? [];
}

export function isOurs(object: KubeObject): boolean {
  return object.metadata.labels?.[PART_OF_LABEL] === PART_OF;
}

export function isReady(node: KubeObject): boolean {
  return conditions(node).some((one) => one.type === 'Ready' && one.status === 'True');
}

interface Container {
  resources?: { requests?: { cpu?: string; memory?: string } };
  ports?: { name?: string; containerPort: number; hostPort?: number; protocol?: string }[];
  image?: string;
  name: string;
  args?: string[];
  command?: string[];
}

export function containers(pod: KubeObject): Container[] {
  return specOf<{ containers: Container[] }>(pod).containers ?? [];
}

export function phaseOf(object: KubeObject): string {
  return statusOf<{ phase: string }>(object).phase ?? '';
}

/** A pod that still holds what it asked for. */
export function isLive(pod: KubeObject): boolean {
  return phaseOf(pod) !== 'Succeeded' && phaseOf(pod) !== 'Failed';
}

export function requested(pod: KubeObject): { cpu: number; memory: number } {
  const each = containers(pod).map((one) => one.resources?.requests ?? {});
  return {
    cpu: each.reduce((sum, one) => sum + quantity(one.cpu), 0),
    memory: each.reduce((sum, one) => sum + quantity(one.memory), 0),
  };
}

export function className(object: KubeObject): string | undefined {
  return specOf<{ storageClassName: string }>(object).storageClassName;
}

/** Events about an object, newest first. */
export function eventsOf(events: KubeObject[], kind: string, name: string): { reason: string; message: string }[] {
  interface Event {
    involvedObject?: { kind?: string; name?: string };
    reason?: string;
    message?: string;
    lastTimestamp?: string;
    eventTime?: string;
  }
  const at = (event: Event) => Date.parse(event.lastTimestamp ?? event.eventTime ?? '') || 0;
  return (events as unknown as Event[])
    .filter((event) => event.involvedObject?.kind === kind && event.involvedObject.name === name)
    .toSorted((a, b) => at(b) - at(a))
    .map((event) => ({
      reason: event.reason ?? '',
      message: (event.message ?? '').replace(/\s+/g, ' ').slice(0, 160),
    }));
}

export function ageMs(object: KubeObject, nowIso: string): number {
  return Date.parse(nowIso) - Date.parse(object.metadata.creationTimestamp ?? nowIso);
}

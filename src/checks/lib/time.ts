import type { PlacedId } from '../../parts/catalog.ts';
import { fact, type FactRef, type Facts } from './facts.ts';
import { listAt, textAt } from '../../core/json.ts';
import type { KubeObject } from '../../core/types.ts';

/** Components may retry and log errors for this long after a start without a fault. */
export const STARTUP_S = 300;

export const CLOCK_READS: FactRef[] = [fact.time(), fact.pods()];

/** When a pod or its newest container started, in milliseconds; 0 when it has not. */
export function startOf(pod: KubeObject): number {
  const starts = listAt(pod, 'status', 'containerStatuses').map((one) =>
    Date.parse(textAt(one, 'state', 'running', 'startedAt') ?? ''),
  );
  return Math.max(Date.parse(textAt(pod, 'status', 'startTime') ?? '') || 0, ...starts.filter(Number.isFinite));
}

/** Seconds since a pod of the stack last started; Infinity without pods. */
export function settledFor(facts: Facts, which: (pod: KubeObject) => boolean = () => true): number {
  const starts = facts
    .pods()
    .filter(which)
    .map(startOf)
    .filter((start) => start > 0);
  return starts.length ? Math.max(0, facts.now() - Math.max(...starts)) / 1000 : Infinity;
}

export interface LogLine {
  /** `pod/container`. */
  from: string;
  text: string;
  /** Milliseconds; 0 when the line names no time. */
  time: number;
}

/** Matching lines of a component, without those of its start and those older than `withinS`. */
export function recentLines(
  facts: Facts,
  component: PlacedId,
  settled: number,
  wanted: RegExp,
  withinS = 900,
): LogLine[] {
  const end = facts.now();
  const from = Math.max(end - withinS * 1000, end - settled * 1000 + STARTUP_S * 1000);
  return Object.entries(facts.logs(component)).flatMap(([name, lines]) =>
    lines
      .filter((text) => wanted.test(text))
      .map((text) => ({ from: name, text, time: timeOf(text) }))
      .filter(({ time }) => time === 0 || time >= from),
  );
}

/** The time at the beginning of a line, `2026-11-21T02:36:00.123Z`, in milliseconds; 0 without one. */
export function timeOf(line: string): number {
  const stamp = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)/.exec(line.slice(0, 120))?.[0];
  return stamp ? Date.parse(stamp) || 0 : 0;
}

import type { KubeObject } from '../../core/types.ts';
import { CouldNotLook, type FactKey, type Look } from '../../doctor/types.ts';
import { arr, str } from './json.ts';

/** After a start everything may take this long to find each other: retries and error lines of that time are no fault. */
export const STARTUP_S = 300;

export const CLOCK_READS: FactKey[] = ['time:now', 'k8s:Pod'];

/** When the facts were taken: a replay from a file must judge like the first run. */
export function now(look: Look): number {
  const stamp = Date.parse(str(look.fact('time:now'), 'iso') ?? '');
  if (!Number.isFinite(stamp)) throw new CouldNotLook('time:now holds no time');
  return stamp;
}

export function startOf(pod: KubeObject): number {
  const starts = [...arr(pod, 'status', 'containerStatuses')].map((one) =>
    Date.parse(str(one, 'state', 'running', 'startedAt') ?? ''),
  );
  return Math.max(Date.parse(str(pod, 'status', 'startTime') ?? '') || 0, ...starts.filter(Number.isFinite));
}

/** Seconds since a pod of the stack last started; Infinity without pods. */
export function settledFor(look: Look, which: (pod: KubeObject) => boolean = () => true): number {
  const starts = look
    .list('Pod')
    .filter(which)
    .map(startOf)
    .filter((start) => start > 0);
  return starts.length ? Math.max(0, now(look) - Math.max(...starts)) / 1000 : Infinity;
}

/** Seconds of `15d`, `168h`, `1w2d`, `360h0m0s`; undefined for something else. */
export function seconds(duration: string | undefined): number | undefined {
  if (duration === undefined) return undefined;
  if (/^0+$/.test(duration)) return 0;
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 };
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)];
  if (!parts.length || parts.map((part) => part[0]).join('') !== duration) return undefined;
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ''] ?? 0), 0);
}

export function ago(secondsPast: number): string {
  if (secondsPast < 120) return `${Math.round(secondsPast)} s`;
  return secondsPast < 7200 ? `${Math.round(secondsPast / 60)} min` : `${Math.round(secondsPast / 3600)} h`;
}

export interface LogLine {
  /** `pod/container`. */
  from: string;
  text: string;
  /** Milliseconds; 0 when the line names no time. */
  time: number;
}

/** Lines of a component that tell of the present: not of its start, and not of what is long over. */
export function recentLines(look: Look, component: string, settled: number, wanted: RegExp, withinS = 900): LogLine[] {
  const end = now(look);
  const from = Math.max(end - withinS * 1000, end - settled * 1000 + STARTUP_S * 1000);
  return Object.entries(look.fact<Record<string, string[]>>(`logs:${component}`)).flatMap(([name, lines]) =>
    lines
      .filter((text) => wanted.test(text))
      .map((text) => ({ from: name, text, time: timeOf(text) }))
      .filter(({ time }) => time === 0 || time >= from),
  );
}

/** `2026-11-21T02:36:00.123Z` anywhere at the beginning, as every component of the stack writes it. */
export function timeOf(line: string): number {
  const stamp = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)/.exec(line.slice(0, 120))?.[0];
  return stamp ? Date.parse(stamp) || 0 : 0;
}

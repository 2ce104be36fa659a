import { createHash } from 'node:crypto';
import { stringify } from 'safe-stable-stringify';

/** One difference between the wanted and the live object; values are shortened for display. */
export interface Change {
  path: string;
  from: string;
  to: string;
}

/** JSON with sorted keys: equal data gives equal text. */
export const canonical = (value: unknown): string => stringify(value) ?? 'undefined';

export const hashOf = (value: unknown): string =>
  createHash('sha256').update(canonical(value)).digest('hex').slice(0, 16);

/** Live may have more fields (defaults, status). Lists must have equal length and are compared in order. */
export function subsetDiff(wanted: unknown, live: unknown, path = ''): Change[] {
  if (wanted === null || wanted === undefined) return [];
  if (Array.isArray(wanted)) {
    const list = Array.isArray(live) ? (live as unknown[]) : [];
    if (!Array.isArray(live) && wanted.length === 0) return [];
    if (list.length !== wanted.length) return [{ path, from: short(live), to: short(wanted) }];
    return wanted.flatMap((item, i) => subsetDiff(item, list[i], `${path}[${i}]`));
  }
  if (typeof wanted === 'object') {
    const entries = Object.entries(wanted as Record<string, unknown>);
    const map = (live && typeof live === 'object' ? live : {}) as Record<string, unknown>;
    return entries.flatMap(([key, value]) => subsetDiff(value, map[key], path ? `${path}.${key}` : key));
  }
  if (wanted === live || isZero(wanted, live)) return [];
  return [{ path, from: short(live), to: short(wanted) }];
}

/** The API server drops empty strings, zeros and `false`. */
const isZero = (wanted: unknown, live: unknown): boolean =>
  live === undefined && (wanted === '' || wanted === 0 || wanted === false);

function short(value: unknown): string {
  const text = value === undefined ? '(absent)' : typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const line = text.replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}

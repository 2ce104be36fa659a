import type { Json, JsonMap } from './types.ts';

type Path = (string | number)[];

/** The value at a path of keys and indexes; undefined where there is none. Values are JSON. */
export function at(value: unknown, ...path: Path): Json | undefined {
  let here = value;
  for (const key of path) {
    if (Array.isArray(here) && typeof key === 'number') here = here[key];
    else if (isJsonMap(here)) here = here[key];
    else return undefined;
  }
  return here as Json | undefined;
}

/** The map at a path; empty where there is none. */
export function mapAt(value: unknown, ...path: Path): JsonMap {
  const found = at(value, ...path);
  return isJsonMap(found) ? found : {};
}

export function listAt(value: unknown, ...path: Path): Json[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function textAt(value: unknown, ...path: Path): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

export const textsAt = (value: unknown, ...path: Path): string[] =>
  listAt(value, ...path).filter((item) => typeof item === 'string');

export function numberAt(value: unknown, ...path: Path): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
}

/** A scalar as text, anything else as JSON. */
export const asText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

/** Every string in a nested value, with its path. */
export function leaves(value: unknown, path = ''): { path: string; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, path ? `${path}.${key}` : key));
}

export function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...keysOf(item)]);
}

/** A copy with one place changed, or removed by `undefined`; the original stays. */
export function set(map: JsonMap, path: string[], value: Json | undefined): JsonMap {
  const [key, ...rest] = path;
  if (key === undefined) return map;
  const copy = { ...map };
  const next = rest.length ? set(mapAt(map, key), rest, value) : value;
  if (next === undefined) delete copy[key];
  else copy[key] = next;
  return copy;
}

export function isJsonMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Maps are merged key by key; any other value of `over` replaces that of `under`. */
export function merge(under: JsonMap, over: JsonMap): JsonMap {
  const out: JsonMap = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = out[key];
    out[key] = isJsonMap(before) && isJsonMap(value) ? merge(before, value) : value;
  }
  return out;
}

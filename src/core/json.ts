import type { Json, JsonMap } from './types.ts';

/** The value at a path of keys; undefined where there is none. */
export function at(map: Json | undefined, ...path: string[]): Json | undefined {
  let here: Json | undefined = map;
  for (const key of path) {
    if (!isJsonMap(here)) return undefined;
    here = here[key];
  }
  return here;
}

/** The map at a path of keys; empty where there is none. */
export function mapAt(map: Json | undefined, ...path: string[]): JsonMap {
  const found = at(map, ...path);
  return isJsonMap(found) ? found : {};
}

/** The list at a path of keys; empty where there is none. */
export function listAt(map: Json | undefined, ...path: string[]): Json[] {
  const found = at(map, ...path);
  return Array.isArray(found) ? found : [];
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

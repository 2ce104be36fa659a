import type { Json, JsonMap } from '../core/types.ts';

/** Copies of nested JSON with one place changed: configurations are parsed data, never text. */
export function at(map: Json | undefined, ...path: string[]): Json | undefined {
  let here: Json | undefined = map;
  for (const key of path) {
    if (here === null || typeof here !== 'object' || Array.isArray(here)) return undefined;
    here = here[key];
  }
  return here;
}

export function mapAt(map: Json | undefined, ...path: string[]): JsonMap {
  const found = at(map, ...path);
  return found && typeof found === 'object' && !Array.isArray(found) ? found : {};
}

export function listAt(map: Json | undefined, ...path: string[]): Json[] {
  const found = at(map, ...path);
  return Array.isArray(found) ? found : [];
}

export function set(map: JsonMap, path: string[], value: Json | undefined): JsonMap {
  const [key, ...rest] = path;
  if (key === undefined) return map;
  const copy = { ...map };
  const next = rest.length ? set(mapAt(map, key), rest, value) : value;
  if (next === undefined) delete copy[key];
  else copy[key] = next;
  return copy;
}

/** Prometheus' `scrape_interval` as its operator's resources spell it: `scrapeInterval`. */
export const camel = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

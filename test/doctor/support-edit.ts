import type { FactMap } from '../../src/checks/lib/facts.ts';

export type FactEdits = Record<string, unknown>;
type Node = Record<string, unknown>;

/** Applies the `set` of a case; see support.ts. */
export function applySet(facts: FactMap, set: FactEdits): FactMap {
  const out = { ...facts };
  for (const [key, change] of Object.entries(set)) {
    if (isNode(change) && typeof change['$error'] === 'string') {
      out[key] = { ok: false, error: change['$error'] };
    } else if (isEdits(change)) {
      const fact = out[key];
      if (!fact?.ok) throw new Error(`the healthy facts have no "${key}" to edit`);
      let value = fact.value;
      for (const [path, to] of Object.entries(change)) value = edit(value, path, to);
      out[key] = { ok: true, value };
    } else {
      out[key] = { ok: true, value: change };
    }
  }
  return out;
}

function isEdits(change: unknown): change is FactEdits {
  return isNode(change) && Object.keys(change).length > 0 && Object.keys(change).every((key) => key.startsWith('/'));
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy of `root` with `value` at `path`. @throws when the path leads nowhere */
export function edit(root: unknown, path: string, value: unknown): unknown {
  const parts = path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const copy: unknown = structuredClone(root);
  if (parts.length === 0) return value;
  let places: unknown[] = [copy];
  for (const part of parts.slice(0, -1)) {
    places = places.flatMap((place) => keysAt(place, part, path).map((key) => (place as Node)[key]));
  }
  const last = parts.at(-1) ?? '';
  for (const place of places) for (const key of keysAt(place, last, path)) put(place, key, value);
  return copy;
}

function put(place: unknown, key: string, value: unknown): void {
  const node = place as Node;
  if (isNode(value) && value['$remove'] === true) {
    if (Array.isArray(place)) place.splice(Number(key), 1);
    else delete node[key];
  } else if (isNode(value) && Array.isArray(value['$replace'])) {
    const [pattern, by] = value['$replace'] as [string, string];
    const before = String(node[key]);
    node[key] = before.replace(new RegExp(pattern), by);
    if (node[key] === before) throw new Error(`nothing in ${key} matches ${pattern}`);
  } else {
    node[key] = structuredClone(value);
  }
}

/** The keys of `place` that one path segment names. */
function keysAt(place: unknown, part: string, path: string): string[] {
  if (typeof place !== 'object' || place === null) throw new Error(`${path}: nothing at "${part}"`);
  if (part === '*') return Object.keys(place).reverse();
  if (!Array.isArray(place)) return [part];
  if (part === '-') return [String(place.length)];
  if (!part.startsWith('@')) return [part];
  const wanted = part.slice(1);
  const exact = (place as Node[]).findIndex((item) => matches(item, wanted, (name) => name === wanted));
  const found =
    exact >= 0
      ? exact
      : (place as Node[]).findIndex((item) => matches(item, wanted, (name) => name.startsWith(wanted)));
  if (found < 0) throw new Error(`${path}: no item ${part}`);
  return [String(found)];
}

function matches(item: Node, wanted: string, named: (name: string) => boolean): boolean {
  const at = wanted.indexOf('=');
  if (at > 0) {
    const field = wanted.slice(0, at);
    const label = isNode(item['metric']) ? item['metric'][field] : undefined;
    return String(item[field] ?? label) === wanted.slice(at + 1);
  }
  const meta = isNode(item['metadata']) ? item['metadata'] : {};
  return [meta['name'], item['name'], item['uid']].some((name) => typeof name === 'string' && named(name));
}

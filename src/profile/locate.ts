import { distance } from 'fastest-levenshtein';
import { LineCounter, type Node, isMap, isScalar, parseDocument } from 'yaml';
import { isJsonMap } from '../core/json.ts';
import type { Json, JsonMap } from '../core/types.ts';
import { type Layer, profileLayer } from './layers.ts';
import { completed } from './schema.ts';

/** Source and line of the last layer that sets a path, or else its nearest parent. */
export function locate(layers: Layer[], path: string[]): string {
  for (let known = path; known.length > 0; known = known.slice(0, -1)) {
    const layer = layers.findLast((candidate) => has(candidate.data, known));
    if (!layer) continue;
    const line = layer.text ? lineOf(layer.text, path) : undefined;
    return `${layer.source}${line ? ` line ${line}` : ''}`;
  }
  return layers.at(-1)?.source ?? 'configuration';
}

function has(data: Json | undefined, path: string[]): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return true;
  return isJsonMap(data) && key in data && has(data[key], rest);
}

function lineOf(text: string, path: string[]): number | undefined {
  const counter = new LineCounter();
  let node: Node | null | undefined = parseDocument(text, { lineCounter: counter }).contents;
  let offset: number | undefined;
  for (const key of path) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    if (!pair) break;
    offset = (pair.key as Node).range?.[0];
    node = pair.value as Node | null;
  }
  return offset === undefined ? undefined : counter.linePos(offset).line;
}

/** For an unknown setting: the known one with the fewest edits, or all that are known there. */
export function suggestion(path: string[]): string | undefined {
  // All settings, including those that quickstart leaves at their defaults; `extends` belongs to files only.
  const all: JsonMap = { extends: '', ...(completed(profileLayer('quickstart').data) as unknown as JsonMap) };
  const parents = path.slice(0, -1);
  const known = parents.reduce<Json | undefined>((here, key) => (isJsonMap(here) ? here[key] : undefined), all);
  if (!isJsonMap(known)) return undefined;
  const wrong = path.at(-1) ?? '';
  const best = Object.keys(known)
    .map((key) => ({ key, edits: distance(key, wrong) }))
    .toSorted((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= 3
    ? `did you mean "${[...parents, best.key].join('.')}"?`
    : `known here: ${Object.keys(known).join(', ')}`;
}

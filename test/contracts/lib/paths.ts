import type { Json, JsonMap } from '../../../src/core/types.ts';
import type { ChartFacts } from './facts.ts';

export type FactsOf = (chart: string) => ChartFacts | undefined;

/** A key in the notation of `helm --set`. */
export const escaped = (key: string): string => key.replaceAll('.', '\\.');

export const joined = (path: string[]): string => path.map(escaped).join('.');

export function segments(path: string): string[] {
  return path.split(/(?<!\\)\./).map((segment) => segment.replaceAll('\\.', '.'));
}

/** Paths of all leaves. An empty map, a list and null are leaves. */
export function leaves(values: JsonMap, base: string[] = []): { path: string[]; value: Json }[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = [...base, key];
    return isMap(value) && Object.keys(value).length ? leaves(value, path) : [{ path, value }];
  });
}

export const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * One sentence for each of the values that the chart does not read.
 * @param factsOf facts of dependencies that are themselves pinned
 */
export function unknownValues(facts: ChartFacts, values: JsonMap, factsOf: FactsOf): string[] {
  return leaves(values).flatMap(({ path, value }) => {
    const found = find(facts, path, factsOf);
    if (found === 'unknown') return [`${facts.chart} ${facts.version} has no value ${joined(path)}`];
    // A section may be null, which removes its defaults, or an empty map, which adds nothing.
    if (found === 'section' && value !== null && !isMap(value))
      return [`${facts.chart} ${facts.version}: ${joined(path)} is a map, not ${JSON.stringify(value)}`];
    return [];
  });
}

type Found = 'leaf' | 'section' | 'unknown';

function find(facts: ChartFacts, path: string[], factsOf: FactsOf): Found {
  const own = findOwn(facts, path);
  const [first, ...rest] = path;
  if (own !== 'unknown' || first === undefined) return own;
  const dependency = dependencies(facts).find(({ alias }) => alias === first);
  const theirs = dependency && factsOf(dependency.name);
  if (!theirs || theirs.version !== dependency.version) return 'unknown';
  return rest.length ? find(theirs, rest, factsOf) : 'section';
}

function findOwn(facts: ChartFacts, path: string[]): Found {
  const wanted = joined(path);
  for (const known of facts.values) {
    if (known === wanted) return 'leaf';
    if (known.endsWith('.*')) {
      const open = known.slice(0, -2);
      if (wanted === open || wanted.startsWith(`${open}.`)) return 'leaf';
    }
  }
  return facts.values.some((known) => known.startsWith(`${wanted}.`)) ? 'section' : 'unknown';
}

export function dependencies(facts: ChartFacts): { name: string; version: string; alias: string }[] {
  return facts.dependencies.map((text) => {
    const [, name = '', version = '', alias] = /^(\S+)@(\S+)(?: as (\S+))?$/.exec(text) ?? [];
    return { name, version, alias: alias ?? name };
  });
}

/** One line for each difference between two states of a chart's facts. */
export function differences(before: ChartFacts | undefined, after: ChartFacts): string[] {
  if (!before) return [`${after.chart}: new, ${after.version}`];
  const lines = (['version', 'appVersion', 'kubeVersion'] as const).flatMap((key) =>
    before[key] === after[key] ? [] : [`${key} ${before[key]} → ${after[key]}`],
  );
  const list = (title: string, old: string[], now: string[]): void => {
    for (const one of old) if (!now.includes(one)) lines.push(`${title} - ${one}`);
    for (const one of now) if (!old.includes(one)) lines.push(`${title} + ${one}`);
  };
  list('dependency', before.dependencies, after.dependencies);
  list('value', before.values, after.values);
  list('closed', before.schemaClosed, after.schemaClosed);
  list('CRD', before.crds, after.crds);
  list('image', before.images, after.images);
  const objects = (facts: ChartFacts): string[] =>
    Object.entries(facts.renders).flatMap(([renderCase, all]) =>
      all.map(
        ({ kind, name, ...rest }) =>
          `${renderCase} ${kind} ${name}${Object.keys(rest).length ? ` ${JSON.stringify(rest)}` : ''}`,
      ),
    );
  list('object', objects(before), objects(after));
  return lines.map((line) => `${after.chart}: ${line}`);
}

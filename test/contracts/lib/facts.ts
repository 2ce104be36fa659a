import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChartName } from '../../../src/charts/pins.ts';
import { assetPath } from '../../../src/core/assets.ts';

/** Name and addresses of a rendered object. */
export interface RenderedObject {
  kind: string;
  name: string;
  namespace?: string;
  /** Ports of a Service. */
  ports?: { name?: string; port: number; targetPort?: number | string; protocol?: string }[];
  /** Name → image, including init containers. For a custom resource with `spec.image`: kind → image. */
  containers?: Record<string, string>;
  /** Labels by which the Service or the workload selects pods. */
  selector?: Record<string, string>;
}

/** Facts about one upstream chart, written by scripts/contracts.mjs. */
export interface ChartFacts {
  chart: string;
  version: string;
  appVersion: string;
  kubeVersion: string;
  /** `name@version`, followed by ` as <alias>` if the chart renames it. */
  dependencies: string[];
  /**
   * Leaves of the values in the notation of `helm --set` (a dot in a key is `\.`). `path.*`: any value at or below it.
   * Leaves out a dependency that is itself pinned at this version: its own facts apply below its name.
   */
  values: string[];
  /** Maps in which values.schema.json forbids unknown keys; "" is the top level. */
  schemaClosed: string[];
  crds: string[];
  /** Images of a rendering with default values. */
  images: string[];
  /** Rendered objects by `case` of upstreamReleases(). */
  renders: Record<string, RenderedObject[]>;
}

export const FACTS_DIR = assetPath('test', 'contracts');

export function factsFile(chart: string): string {
  return join(FACTS_DIR, `${chart}.json`);
}

/** Charts that have facts. */
export function knownCharts(): string[] {
  return readdirSync(FACTS_DIR)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -5));
}

/** The file groups values by section (`{section: [keys]}`), which halves its size. */
type FactsFile = Omit<ChartFacts, 'values'> & { values: Record<string, string[]> };

/** @throws if the chart has no facts yet; create them with npm run contracts */
export function readFacts(chart: ChartName): ChartFacts {
  const file = JSON.parse(readFileSync(factsFile(chart), 'utf8')) as FactsFile;
  const values = Object.entries(file.values).flatMap(([section, keys]) =>
    keys.map((key) => (section ? `${section}.${key}` : key)),
  );
  return { ...file, values: values.toSorted() };
}

/** Writes one line per section and per object, for readable diffs. */
export function writeFacts(facts: ChartFacts): void {
  const text = (value: unknown): string => JSON.stringify(value);
  const lines = ([first, last]: string, items: string[], indent: string): string =>
    items.length
      ? `${first}\n${items.map((item) => `${indent}  ${item}`).join(',\n')}\n${indent}${last}`
      : `${first}${last}`;
  const fields = Object.entries(facts).map(([key, value]) => {
    if (key === 'values')
      return [
        key,
        lines(
          '{}',
          Object.entries(sections(facts.values)).map(([section, keys]) => `${text(section)}: ${text(keys)}`),
          '  ',
        ),
      ];
    if (key === 'renders')
      return [
        key,
        lines(
          '{}',
          Object.entries(facts.renders).map(([name, all]) => `${text(name)}: ${lines('[]', all.map(text), '    ')}`),
          '  ',
        ),
      ];
    return [key, Array.isArray(value) ? lines('[]', value.map(text), '  ') : text(value)];
  });
  writeFileSync(
    factsFile(facts.chart),
    `${lines(
      '{}',
      fields.map(([key, value]) => `"${key}": ${value}`),
      '',
    )}\n`,
  );
}

function sections(values: string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const value of values) {
    const parts = value.split(/(?<!\\)\./);
    const key = parts.splice(parts.at(-1) === '*' ? -2 : -1).join('.');
    const section = parts.join('.');
    (found[section] ??= []).push(key);
  }
  return found;
}

/** Names of rendered objects of a kind. @throws if the case was not rendered */
export function renderedNames(facts: ChartFacts, renderCase: string, kind: string): string[] {
  return rendered(facts, renderCase, kind).map(({ name }) => name);
}

/** Rendered objects of a kind. @throws if the case was not rendered */
export function rendered(facts: ChartFacts, renderCase: string, kind: string): RenderedObject[] {
  const objects = facts.renders[renderCase];
  if (!objects)
    throw new Error(`${facts.chart} was not rendered for ${renderCase}; run: npm run contracts -- --charts DIR`);
  return objects.filter((object) => object.kind === kind);
}

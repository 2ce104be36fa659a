import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChartName } from '../../../src/charts/pins.ts';
import { assetPath } from '../../../src/core/assets.ts';

/** What a rendered object is called and how it is reached. */
export interface RenderedObject {
  kind: string;
  name: string;
  namespace?: string;
  /** Of a Service. */
  ports?: { name?: string; port: number; targetPort?: number | string; protocol?: string }[];
  /** Name → image, init containers too; of a custom resource with `spec.image`, its kind → image. */
  containers?: Record<string, string>;
  /** Labels that the Service or the workload selects its pods by. */
  selector?: Record<string, string>;
}

/** Facts about one upstream chart, written by scripts/contracts.mjs. */
export interface ChartFacts {
  chart: string;
  version: string;
  appVersion: string;
  kubeVersion: string;
  /** `name@version`, with ` as <alias>` where the chart renames it. */
  dependencies: string[];
  /**
   * Leaves of the values as `helm --set` spells them (a dot in a key is `\.`). `path.*`: anything may stand at and below it. A dependency that is pinned
   * itself at this version is not repeated: its own facts hold for what stands under its name.
   */
  values: string[];
  /** Maps in which values.schema.json forbids unknown keys; "" is the top level. */
  schemaClosed: string[];
  crds: string[];
  /** Of a rendering with default values. */
  images: string[];
  /** By case of upstreamReleases(). */
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

/** In the file, values stand in sections (`{section: [keys]}`): half the size. */
type FactsFile = Omit<ChartFacts, 'values'> & { values: Record<string, string[]> };

/** @throws when the chart has no facts yet: npm run contracts */
export function readFacts(chart: ChartName): ChartFacts {
  const file = JSON.parse(readFileSync(factsFile(chart), 'utf8')) as FactsFile;
  const values = Object.entries(file.values).flatMap(([section, keys]) =>
    keys.map((key) => (section ? `${section}.${key}` : key)),
  );
  return { ...file, values: values.toSorted() };
}

/** One line per section and per object: a change reads well in a diff. */
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

/** Names of the objects of a kind in one case's rendering. @throws when that case was never rendered */
export function renderedNames(facts: ChartFacts, renderCase: string, kind: string): string[] {
  return rendered(facts, renderCase, kind).map(({ name }) => name);
}

/** Objects of a kind in one case's rendering. @throws when that case was never rendered */
export function rendered(facts: ChartFacts, renderCase: string, kind: string): RenderedObject[] {
  const objects = facts.renders[renderCase];
  if (!objects) throw new Error(`${facts.chart} was not rendered for ${renderCase}: npm run contracts -- --charts DIR`);
  return objects.filter((object) => object.kind === kind);
}

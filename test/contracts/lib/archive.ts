import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { Pin } from '../../../src/charts/pins.ts';
import { usageError } from '../../../src/core/errors.ts';
import type { JsonMap } from '../../../src/core/types.ts';

const run = promisify(execFile);

export interface Dependency {
  name: string;
  version: string;
  alias: string;
  /** Path of the value that enables it. */
  condition?: string;
  /** Whether it comes from another repository. */
  remote: boolean;
  chart: Chart;
}

/** One unpacked chart with its dependencies. */
export interface Chart {
  name: string;
  version: string;
  appVersion: string;
  kubeVersion: string;
  values: JsonMap;
  schema?: JsonMap;
  /** Contents of the files in templates/, including helpers, and of values.yaml. */
  templates: string[];
  /** Contents of the files in crds/. */
  crds: string[];
  dependencies: Dependency[];
}

interface ListedDependency {
  name: string;
  alias?: string;
  condition?: string;
  repository?: string;
}

interface ChartYaml {
  name: string;
  version: string;
  appVersion?: string | number;
  kubeVersion?: string;
  dependencies?: ListedDependency[];
}

export const archiveName = (pin: Pin): string => `${pin.chart}-${pin.version}.tgz`;

/** @throws ObsError (usage) that names every missing archive */
export function checkArchives(dir: string, pins: Pin[]): void {
  const missing = pins.map(archiveName).filter((file) => !existsSync(join(dir, file)));
  if (missing.length)
    throw usageError(
      `${dir} has no ${missing.join(', ')}`,
      'fetch what is missing: helm pull CHART --version VERSION --repo URL, with the pins of src/charts/pins.ts',
    );
}

/** Unpacks an archive into a temporary folder and passes it to `use`. */
export async function readChart(archive: string): Promise<Chart> {
  const dir = await mkdtemp(join(tmpdir(), 'genai-obs-chart-'));
  try {
    await run('tar', ['-xzf', archive, '-C', dir]);
    const top = readdirSync(dir)[0];
    if (top === undefined) throw usageError(`${archive} is empty`);
    return await chartIn(join(dir, top));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function chartIn(dir: string): Promise<Chart> {
  const meta = parse(readFileSync(join(dir, 'Chart.yaml'), 'utf8')) as ChartYaml;
  const vendored = await chartsIn(join(dir, 'charts'));
  const listed = meta.dependencies ?? [];
  // Helm also uses charts in charts/ that Chart.yaml does not list.
  const extra: ListedDependency[] = vendored
    .filter(({ name }) => !listed.some((one) => one.name === name))
    .map(({ name }) => ({ name }));
  const dependencies = [...listed, ...extra].flatMap(({ name, alias, condition, repository }): Dependency[] => {
    const chart = vendored.find((one) => one.name === name);
    return chart
      ? [
          {
            name,
            version: chart.version,
            alias: alias ?? name,
            ...(condition ? { condition } : {}),
            remote: Boolean(repository),
            chart,
          },
        ]
      : [];
  });
  const valuesFile = join(dir, 'values.yaml');
  const text = existsSync(valuesFile) ? readFileSync(valuesFile, 'utf8') : '';
  const schemaFile = join(dir, 'values.schema.json');
  return {
    name: meta.name,
    version: meta.version,
    appVersion: String(meta.appVersion ?? ''),
    kubeVersion: meta.kubeVersion ?? '',
    values: (parse(text, { merge: true }) as JsonMap | null) ?? {},
    ...(existsSync(schemaFile) ? { schema: JSON.parse(readFileSync(schemaFile, 'utf8')) as JsonMap } : {}),
    // Some values are templates that charts evaluate with `tpl`.
    templates: [...textsIn(join(dir, 'templates')), text.replace(/^\s*#.*$/gm, '')],
    crds: textsIn(join(dir, 'crds')),
    dependencies,
  };
}

async function chartsIn(dir: string): Promise<Chart[]> {
  if (!existsSync(dir)) return [];
  const charts: Chart[] = [];
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && existsSync(join(path, 'Chart.yaml'))) charts.push(await chartIn(path));
    else if (entry.name.endsWith('.tgz')) charts.push(await readChart(path));
  }
  return charts;
}

function textsIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|tpl|txt)$/.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { parseManifest } from '../../../src/adapters/helm.ts';
import { type ChartName, PINS, type Pin } from '../../../src/charts/pins.ts';
import { type UpstreamRelease, upstreamReleases } from './releases.ts';
import { ObsError, messageOf, usageError } from '../../../src/core/errors.ts';
import type { JsonMap, KubeObject } from '../../../src/core/types.ts';
import { type Chart, archiveName, checkArchives, readChart } from './archive.ts';
import { type ChartFacts, type RenderedObject, knownCharts, readFacts, writeFacts } from './facts.ts';
import { differences } from './paths.ts';
import { imagesOf, objectFacts } from './render.ts';
import { closedPaths, paths, valueTree } from './tree.ts';

const KUBE_VERSION = 'v1.34.0';

/** Values without which a chart does not render, or does not render its CRDs. */
const REQUIRED: Partial<Record<ChartName, JsonMap>> = {
  'cert-manager': { crds: { enabled: true } },
  'k8s-monitoring': {
    cluster: { name: 'contracts' },
    destinations: { metrics: { type: 'prometheus', url: 'http://prometheus/api/v1/write' } },
    clusterMetrics: { enabled: true, collector: 'alloy-metrics' },
    collectors: { 'alloy-metrics': { presets: ['clustered'] } },
    telemetryServices: { 'kube-state-metrics': { deploy: true } },
  },
  loki: {
    deploymentMode: 'Monolithic',
    singleBinary: { replicas: 1 },
    read: { replicas: 0 },
    write: { replicas: 0 },
    backend: { replicas: 0 },
    loki: { storage: { type: 'filesystem' }, useTestSchema: true },
  },
  'opentelemetry-collector': {
    mode: 'deployment',
    image: { repository: 'ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib' },
  },
};

/**
 * Compares the archives of all pinned charts with test/contracts, and updates that folder.
 * @param check compare only
 * @returns one line for each difference
 * @throws ObsError (usage) for missing archives, ObsError if a chart does not render
 */
export async function contracts(charts: string, check: boolean): Promise<string[]> {
  const dir = resolve(charts);
  const pins: Pin[] = Object.values(PINS);
  checkArchives(dir, pins);
  const helm = findHelm();
  const releases = upstreamReleases();
  const lines: string[] = [];
  for (const name of Object.keys(PINS) as ChartName[]) {
    const facts = await factsOf(dir, name, releases, helm);
    lines.push(...differences(knownCharts().includes(name) ? readFacts(name) : undefined, facts));
    if (!check) writeFacts(facts);
  }
  return lines;
}

async function factsOf(dir: string, name: ChartName, releases: UpstreamRelease[], helm: string): Promise<ChartFacts> {
  const pin: Pin = PINS[name];
  const archive = join(dir, archiveName(pin));
  const chart = await readChart(archive);
  if (chart.name !== name || chart.version !== pin.version)
    throw usageError(`${archive} holds ${chart.name} ${chart.version}, not ${name} ${pin.version}`);
  const tree = valueTree(chart, (inner, version) => isPinned(inner, version));
  const byDefault = await render(helm, archive, { release: name, namespace: 'default', values: REQUIRED[name] ?? {} });
  const renders: Record<string, RenderedObject[]> = {};
  for (const release of releases.filter((one) => one.chart === name))
    renders[release.case] = objectFacts(await render(helm, archive, release));
  return {
    chart: name,
    version: chart.version,
    appVersion: chart.appVersion,
    kubeVersion: chart.kubeVersion,
    dependencies: chart.dependencies
      .map((one) => `${one.name}@${one.version}${one.alias === one.name ? '' : ` as ${one.alias}`}`)
      .toSorted(),
    values: paths(tree),
    schemaClosed: closedPaths(tree),
    crds: [
      ...new Set([
        ...crdFiles(chart),
        ...byDefault.filter(({ kind }) => kind === 'CustomResourceDefinition').map(({ metadata }) => metadata.name),
      ]),
    ].toSorted(),
    images: imagesOf(byDefault),
    renders,
  };
}

function isPinned(name: string, version: string): boolean {
  return name in PINS && PINS[name as ChartName].version === version;
}

function crdFiles(chart: Chart): string[] {
  const own = chart.crds.flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null),
  );
  return [
    ...own.flatMap((object) => (object?.kind === 'CustomResourceDefinition' ? [object.metadata.name] : [])),
    ...chart.dependencies.flatMap((one) => crdFiles(one.chart)),
  ];
}

/** All objects of a release, including hooks, whose images count as well. @throws ObsError if it does not render */
async function render(
  helm: string,
  archive: string,
  { release, namespace, values }: Pick<UpstreamRelease, 'release' | 'namespace' | 'values'>,
): Promise<KubeObject[]> {
  const dir = await mkdtemp(join(tmpdir(), 'genai-obs-values-'));
  try {
    const file = join(dir, 'values.json');
    await writeFile(file, JSON.stringify(values), { mode: 0o600 });
    const options = ['--namespace', namespace, '--kube-version', KUBE_VERSION, '--values', file];
    const args = ['template', release, archive, ...options];
    const { stdout } = await promisify(execFile)(helm, args, { maxBuffer: 64e6 });
    return parseManifest(stdout);
  } catch (error) {
    const cause = messageOf(error).split('\n').slice(1).join(' ').trim();
    throw new ObsError({
      what: 'a chart does not render',
      object: `release ${namespace}/${release} of ${archive}`,
      cause,
      next: 'fix its values, then run this again',
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** GENAI_OBS_HELM, or the first of helm, helm3 and helm4 on the PATH. */
function findHelm(): string {
  const file = [process.env['GENAI_OBS_HELM'], 'helm', 'helm3', 'helm4'].find((one) => one && answers(one));
  if (!file)
    throw new ObsError({
      what: 'helm is not on the PATH',
      next: 'install helm 3.12 or newer, or set GENAI_OBS_HELM to its path',
    });
  return file;
}

function answers(file: string): boolean {
  try {
    execFileSync(file, ['version', '--template', '{{.Version}}'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

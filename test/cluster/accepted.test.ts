import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/adapters/helm.ts';
import { chartsFrom } from '../../src/charts/source.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { ReleaseStep } from '../../src/engine/steps/release.ts';
import { profileNames } from '../../src/profile/layers.ts';
import { profile } from '../unit/support/config.ts';
import { CHARTS } from './support/bed.ts';
import { kubectl, run } from './support/cluster.ts';

const NS = 'it-accepted';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-accepted-'));
/** API groups of CRDs that a profile installs itself; profiles.test.ts tests their objects. */
const OWN_CRDS = /^(cert-manager\.io|collectors\.grafana\.com|monitoring\.coreos\.com|opentelemetry\.io)\//;

beforeAll(async () => void (await kubectl(['create', 'namespace', NS])));
afterAll(async () => {
  rmSync(DIR, { recursive: true, force: true });
  await kubectl(['delete', 'namespace', NS, '--wait']);
});

const onlyOwn = CHARTS ? '' : ' of our own charts (GENAI_OBS_CHARTS names no folder with the upstream charts)';

/** A strict server-side dry run of each profile. Without it, the API server drops unknown fields with a warning. */
describe(`the API server accepts every object${onlyOwn}`, () => {
  let kinds: Set<string>;
  beforeAll(async () => {
    // Columns: NAME SHORTNAMES APIVERSION NAMESPACED KIND, where SHORTNAMES may be empty.
    kinds = new Set(
      (await kubectl(['api-resources', '--no-headers']))
        .split('\n')
        .map((line) => line.trim().split(/\s+/).slice(-3).join(' ')),
    );
  });

  it.each(profileNames())('%s', { timeout: 120_000 } as object, async (name) => {
    const steps = buildPlan(profile(name));
    const releases = steps
      .filter((step) => step.kind === 'release')
      .filter(({ chart }) => CHARTS || chart.source === 'genai-obs');
    const objects = [
      ...steps.flatMap((step) => (step.kind === 'objects' ? step.objects : [])),
      ...(await Promise.all(releases.map(rendered))).flat(),
    ];
    const scopes = objects.map((object) => ({ object, scope: scopeOf(object) }));
    const known = scopes.flatMap(({ object, scope }) => (scope ? [inTestNamespace(object, scope === 'true')] : []));
    const unknown = scopes.flatMap(({ object, scope }) => (scope ? [] : [`${object.apiVersion} ${object.kind}`]));
    expect(unknown.filter((kind) => !OWN_CRDS.test(kind))).toEqual([]);
    expect(known).not.toEqual([]);
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: known });
    const args = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', '-'];
    const { code, stderr } = await run('kubectl', args, { input: list });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('rejects an unknown field', async () => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'odd', namespace: NS }, dato: {} };
    const { code, stderr } = await run(
      'kubectl',
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'],
      {
        input: JSON.stringify(object),
      },
    );
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('dato') as string });
  });

  /** `true` or `false` for namespaced; undefined when the server does not know the kind. */
  const scopeOf = ({ apiVersion, kind }: KubeObject): string | undefined =>
    ['true', 'false'].find((namespaced) => kinds.has(`${apiVersion} ${namespaced} ${kind}`));
});

/** Moves namespaced objects to the test's namespace, because theirs may not exist. */
function inTestNamespace(object: KubeObject, namespaced: boolean): KubeObject {
  const { namespace: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(namespaced ? { namespace: NS } : {}) } };
}

async function rendered(step: ReleaseStep): Promise<KubeObject[]> {
  const values = join(mkdtempSync(join(DIR, 'values-')), 'values.json');
  writeFileSync(values, JSON.stringify(step.values));
  const chart = await chartsFrom(CHARTS ?? '').path(step.chart);
  const { gitVersion } = JSON.parse(await kubectl(['get', '--raw', '/version'])) as { gitVersion: string };
  const args = [
    'template',
    step.release,
    chart,
    '--namespace',
    step.namespace,
    '--kube-version',
    gitVersion,
    '--values',
    values,
    '--skip-crds',
    '--no-hooks',
  ];
  const { code, stdout, stderr } = await run('helm', args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return parseManifest(stdout);
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMPONENT_IDS } from '../../../src/profile/schema.ts';
import { definition, idle, standInMirror } from '../support/charts.ts';
import {
  cliOk,
  eventually,
  footprint,
  get,
  kubectl,
  leaveNothing,
  onInterrupt,
  removeAll,
} from '../support/cluster.ts';
import { alone, definitions, forget } from '../support/definitions.ts';
import { appliedBy } from '../support/install.ts';

/** What is applied for a feature goes when the feature is switched off; with stand-ins for upstream's charts, so that it takes seconds. */

const NS = 'it-stale';
/** Called as NS at its beginning. */
const SECOND = `${NS}-2`;
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-stale-'));
const ENV = { GENAI_OBS_CACHE: join(DIR, 'cache') };
const COLLECTORS = 'opentelemetrycollectors.opentelemetry.io';
const LOKI = { loki: { enabled: true, chart: 'loki' } };

/** A configuration with nothing but these parts. */
function config(name: string, parts: object, namespace = NS): string {
  const path = join(DIR, `${name}.yaml`);
  const off = Object.fromEntries(COMPONENT_IDS.map((id) => [id, { enabled: false }]));
  writeFileSync(
    path,
    JSON.stringify({ profile: 'quickstart', namespace, storage: { enabled: false }, ...off, ...parts }),
  );
  return path;
}
const BARE = config('loki', LOKI);
const teams = [{ name: 'search', namespace: 'search' }];
const WITH_TEAMS = config('teams', { ...LOKI, teams });
const SECOND_WITH_TEAMS = config('second', { ...LOKI, teams }, SECOND);
const WITH_GATEWAY = config('gateway', {
  ...LOKI,
  'opentelemetry-collector': { enabled: true, chart: 'opentelemetry-operator', replicaCount: 1 },
});

const mirror = standInMirror(join(DIR, 'mirror'));
const from = ['--charts', mirror.folder];
const install = async (file: string, ...more: string[]): Promise<string[]> =>
  appliedBy(
    await cliOk(
      ['install', '--yes', '--json', '--skip', 'verify', '-f', file, ...from, '--timeout', '60', ...more],
      ENV,
    ),
  );
const plan = async (file: string): Promise<string> => (await cliOk(['plan', '-f', file, ...from], ENV)).stdout;
const uninstall = async (namespace: string): Promise<void> => {
  await cliOk(['uninstall', '--namespace', namespace, '--delete-data', '--yes', '--timeout', '60']);
  expect((await footprint(namespace)).filter((line) => !line.includes(SECOND))).toEqual([]);
};
const clean = async (): Promise<void> => {
  for (const namespace of [SECOND, NS]) await removeAll(namespace);
  forget(NS);
};

beforeAll(async () => {
  onInterrupt(() => forget(NS));
  leaveNothing(NS);
  leaveNothing(SECOND);
  await clean();
  await mirror.put('loki', [idle('StatefulSet', 'loki')]);
});
afterAll(async () => {
  await clean();
  rmSync(DIR, { recursive: true, force: true });
});

describe('a feature that is switched off', () => {
  const maps = async (namespace: string): Promise<string[]> =>
    (await get('configmap', '-n', namespace)).items.map(({ metadata }) => metadata.name);

  it('takes along what was applied for it, of this installation and not of another one', async () => {
    for (const file of [WITH_TEAMS, SECOND_WITH_TEAMS]) await install(file);
    await kubectl(['-n', NS, 'create', 'configmap', 'theirs', '--from-literal=a=b']);

    const shown = await plan(BARE);
    expect(shown).toContain(`- ConfigMap ${NS}/loki-rules`);
    expect(shown).toContain('1 to delete');
    expect(await maps(NS)).toContain('loki-rules');

    expect(await install(BARE)).toContain('removal/releases');
    expect(await maps(NS)).not.toContain('loki-rules');
    expect(await maps(NS)).toEqual(expect.arrayContaining(['genai-obs-journal', 'theirs']));
    expect(await maps(SECOND)).toContain('loki-rules');
    expect(await install(BARE)).toEqual([]);
    expect(await install(SECOND_WITH_TEAMS)).toEqual([]);

    await kubectl(['-n', NS, 'delete', 'configmap', 'theirs']);
    await uninstall(SECOND);
    await uninstall(NS);
  });
});

describe('an operator that is switched off', () => {
  it('goes after its resources, only with the whole plan; then there is nothing to do', async (context) => {
    await alone(context);
    const role = `${NS}-otel-gateway-collector`;
    // The stand-in makes no collectors: the Deployment that the operator would make comes with its chart.
    const workloads = ['opentelemetry-operator', 'otel-gateway-collector'].map((name) => idle('Deployment', name));
    await mirror.put('opentelemetry-operator', workloads, [
      definition(COLLECTORS, 'OpenTelemetryCollector', ['v1beta1']),
    ]);
    await install(WITH_GATEWAY);
    await kubectl(['get', `clusterrole/${role}`, `clusterrolebinding/${role}`]);

    const shown = await plan(BARE);
    for (const object of [
      `OpenTelemetryCollector ${NS}/otel-gateway`,
      `NetworkPolicy ${NS}/otel-gateway-collector`,
      `ClusterRole ${role}`,
    ])
      expect(shown).toContain(`- ${object}`);
    expect(shown).toContain(`release ${NS}/opentelemetry-operator`);
    // What takes the place of something may be in a part that is left out.
    expect(await install(BARE, '--only', 'alerting')).toEqual([]);
    await kubectl(['-n', NS, 'get', COLLECTORS, 'otel-gateway']);

    expect(await install(BARE)).toContain('removal/releases');
    // Pods end a moment after what made them.
    const left = async (): Promise<boolean> =>
      (await footprint(NS)).some((line) => /otel-gateway|opentelemetry-operator/.test(line));
    await eventually('nothing of operator and gateway is left', async () => ((await left()) ? undefined : true), 60);
    expect(await install(BARE)).toEqual([]);
    await uninstall(NS);
    expect(await definitions()).toEqual([]);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeMirror, idleWorkload, makeCrd, minimalConfig } from '../support/charts.ts';
import {
  cliOk,
  eventually,
  footprint,
  get,
  kubectl,
  uninstallOnInterrupt,
  onInterrupt,
  removeAll,
} from '../support/cluster.ts';
import { deleteTestCrds, operatorCrds, requireNoOperatorCrds } from '../support/crds.ts';
import { appliedBy } from '../support/install.ts';

/** Prunes the objects of a disabled feature. Uses charts of our own instead of upstream's, so that it takes seconds. */

const NS = 'it-stale';
/** Its name starts with NS, to catch matches by prefix. */
const SECOND = `${NS}-2`;
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-stale-'));
const ENV = { GENAI_OBS_CACHE: join(DIR, 'cache') };
const COLLECTORS = 'opentelemetrycollectors.opentelemetry.io';
const LOKI = { loki: { enabled: true, chart: 'loki' } };

const config = (name: string, parts: object, namespace = NS): string => minimalConfig(DIR, name, namespace, parts);
const BARE = config('loki', LOKI);
const teams = [{ name: 'search', namespace: 'search' }];
const WITH_TEAMS = config('teams', { ...LOKI, teams });
const SECOND_WITH_TEAMS = config('second', { ...LOKI, teams }, SECOND);
const WITH_GATEWAY = config('gateway', {
  ...LOKI,
  'opentelemetry-collector': { enabled: true, chart: 'opentelemetry-operator', replicaCount: 1 },
});

const mirror = fakeMirror(join(DIR, 'mirror'));
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
  deleteTestCrds(NS);
};

beforeAll(async () => {
  onInterrupt(() => deleteTestCrds(NS));
  uninstallOnInterrupt(NS);
  uninstallOnInterrupt(SECOND);
  await clean();
  await mirror.put('loki', [idleWorkload('StatefulSet', 'loki')]);
});
afterAll(async () => {
  await clean();
  rmSync(DIR, { recursive: true, force: true });
});

describe('disabling a feature', () => {
  const maps = async (namespace: string): Promise<string[]> =>
    (await get('configmap', '-n', namespace)).items.map(({ metadata }) => metadata.name);

  it('prunes its objects in this installation and not in another one', async () => {
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

describe('disabling an operator', () => {
  it('deletes it after its resources, only in a complete install; then there is nothing to do', async (context) => {
    await requireNoOperatorCrds(context);
    const role = `${NS}-otel-gateway-collector`;
    // The fake operator creates nothing, so its chart contains the Deployment of the collector.
    const workloads = ['opentelemetry-operator', 'otel-gateway-collector'].map((name) =>
      idleWorkload('Deployment', name),
    );
    await mirror.put('opentelemetry-operator', workloads, [makeCrd(COLLECTORS, 'OpenTelemetryCollector', ['v1beta1'])]);
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
    // A partial install prunes nothing, because it may leave out the replacement.
    expect(await install(BARE, '--only', 'alerting')).toEqual([]);
    await kubectl(['-n', NS, 'get', COLLECTORS, 'otel-gateway']);

    expect(await install(BARE)).toContain('removal/releases');
    // Pods terminate shortly after their owner is deleted.
    const remains = async (): Promise<boolean> =>
      (await footprint(NS)).some((line) => /otel-gateway|opentelemetry-operator/.test(line));
    await eventually('operator and gateway are deleted', async () => ((await remains()) ? undefined : true), 60);
    expect(await install(BARE)).toEqual([]);
    await uninstall(NS);
    expect(await operatorCrds()).toEqual([]);
  });
});

import { expect, it } from 'vitest';
import { PART_OF, PART_OF_LABEL } from '../../src/core/labels.ts';
import { ObsError } from '../../src/core/errors.ts';
import { observe } from '../../src/engine/observe.ts';
import { buildPlan } from '../../src/engine/plan.ts';
import type { Config } from '../../src/profile/schema.ts';
import { type FakeCluster, NS, fakeCluster } from './support/cluster.ts';
import { quickstart } from './support/config.ts';
import { session } from './support/engine.ts';

const OURS = { commonLabels: { [PART_OF_LABEL]: PART_OF } };

function withMetricsServer(): Config {
  const config = quickstart();
  config['metrics-server'].enabled = true;
  return config;
}

async function install(cluster: FakeCluster, config: Config): Promise<void> {
  const { result } = await session(cluster, config, buildPlan(config));
  await result;
}

const records = (cluster: FakeCluster): string[] => cluster.all('Secret').flatMap(({ metadata }) => metadata.labels?.['name'] ?? []);
const uninstalled = (cluster: FakeCluster): string[] => cluster.calls.filter((call) => call.startsWith('helm uninstall'));

it('an add-on that was switched off is uninstalled, after everything else is there; planned and foreign releases stay', async () => {
  const cluster = fakeCluster();
  await install(cluster, withMetricsServer());
  cluster.record('somebodys', 'deployed');
  expect(uninstalled(cluster)).toEqual([]);
  expect(records(cluster)).toContain('metrics-server');

  const plan = buildPlan(quickstart());
  const step = plan.find(({ id }) => id === 'removal/releases')!;
  const before = cluster.calls.length;
  expect(await observe(step, { ...cluster, namespace: NS })).toMatchObject({ state: 'drifted', detail: `release ${NS}/metrics-server` });
  expect(cluster.calls.slice(before)).toEqual([]);

  const { result, of } = await session(cluster, quickstart(), plan);
  expect((await result).applied).toContain('removal/releases');
  expect(of('done').indexOf('removal/releases')).toBeGreaterThan(of('done').indexOf('release/grafana'));
  expect(uninstalled(cluster)).toEqual(['helm uninstall metrics-server']);
  expect(records(cluster)).toEqual(expect.arrayContaining(['loki', 'somebodys']));
  expect(await observe(step, { ...cluster, namespace: NS })).toEqual({ state: 'done', changes: [] });
});

it('releases are looked for in every namespace of the installation, and nowhere else', async () => {
  const cluster = fakeCluster();
  await install(cluster, quickstart());
  for (const [name, home] of [
    ['mine', NS],
    ['other', 'another-home'],
  ] as const) {
    const labels = { [PART_OF_LABEL]: PART_OF };
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels, annotations: { 'genai-obs.io/home': home } } });
    cluster.record('jaeger', 'deployed', 1, OURS, { namespace: name });
  }
  await install(cluster, quickstart());
  expect(uninstalled(cluster)).toEqual(['helm uninstall jaeger']);
  expect(cluster.get('Secret', 'sh.helm.release.v1.jaeger.v1', 'mine')).toBeUndefined();
  expect(cluster.get('Secret', 'sh.helm.release.v1.jaeger.v1', 'other')).toBeDefined();
});

it('a chart that cannot be had is told before anything is changed', async () => {
  const cluster = fakeCluster();
  const charts = { ...cluster.charts };
  cluster.charts.path = (chart) =>
    chart.name === 'metrics-server' ? Promise.reject(new ObsError({ what: 'the chart cannot be fetched' })) : charts.path(chart);
  const config = withMetricsServer();
  const plan = buildPlan(config);
  await expect((await session(cluster, config, plan)).result).rejects.toThrow('the chart cannot be fetched');
  expect(cluster.calls).toEqual([]);
  // What a flag leaves out is not fetched.
  await (
    await session(cluster, config, plan, { excluded: ['release/metrics-server'] })
  ).result;
  expect(records(cluster)).toContain('loki');
});

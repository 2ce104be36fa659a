import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FIELD_MANAGER } from '../../src/adapters/serverSideApply.ts';
import { ObsError } from '../../src/core/errors.ts';
import { HOME_ANNOTATION, PART_OF, PART_OF_LABEL, ownLabels } from '../../src/core/labels.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { refOf, refText } from '../../src/core/types.ts';
import { observe } from '../../src/engine/steps/index.ts';
import { newJournal, writeJournal } from '../../src/engine/state/journal.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { RunResult } from '../../src/engine/run.ts';
import { excludedSteps } from '../../src/engine/plan/select.ts';
import { PRUNED } from '../../src/engine/steps/prune.ts';
import type { Observation } from '../../src/engine/steps/types.ts';
import type { Config } from '../../src/profile/schema.ts';
import { type FakeCluster, NS, fakeCluster, contextOf } from './support/cluster.ts';
import { profile, quickstart } from './support/config.ts';
import { session } from './support/engine.ts';

const OURS = { commonLabels: { [PART_OF_LABEL]: PART_OF } };

function withMetricsServer(): Config {
  const config = quickstart();
  config['metrics-server'].enabled = true;
  return config;
}

/** Runs `install` once, in the home namespace of the configuration. */
async function install(cluster: FakeCluster, config: Config, timeout = 5_000): Promise<RunResult> {
  const { namespace } = config;
  const journal = await newJournal(cluster.kube, config, []);
  const save = (): Promise<void> => writeJournal(cluster.kube, namespace, structuredClone(journal));
  return (await session(cluster, config, buildPlan(config), { timeout, journal, context: { namespace, save } })).result;
}

const records = (cluster: FakeCluster): string[] =>
  cluster.all('Secret').flatMap(({ metadata }) => metadata.labels?.['name'] ?? []);
const uninstalled = (cluster: FakeCluster): string[] =>
  cluster.calls.filter((call) => call.startsWith('helm uninstall'));

it('uninstalls a disabled add-on after all other steps, and keeps planned and foreign releases', async () => {
  const cluster = fakeCluster();
  await install(cluster, withMetricsServer());
  cluster.record('somebodys', 'deployed');
  expect(uninstalled(cluster)).toEqual([]);
  expect(records(cluster)).toContain('metrics-server');

  const plan = buildPlan(quickstart());
  const step = plan.find(({ id }) => id === 'removal/releases')!;
  const before = cluster.calls.length;
  expect(await observe(step, { ...cluster, namespace: NS })).toMatchObject({
    state: 'drifted',
    detail: `release ${NS}/metrics-server`,
  });
  expect(cluster.calls.slice(before)).toEqual([]);

  const { result, of } = await session(cluster, quickstart(), plan);
  expect((await result).applied).toContain('removal/releases');
  expect(of('done').indexOf('removal/releases')).toBeGreaterThan(of('done').indexOf('release/grafana'));
  expect(uninstalled(cluster)).toEqual(['helm uninstall metrics-server']);
  expect(records(cluster)).toEqual(expect.arrayContaining(['loki', 'somebodys']));
  expect(await observe(step, { ...cluster, namespace: NS })).toEqual({ state: 'done', changes: [] });
});

it('prunes releases in every namespace of the installation, and nowhere else', async () => {
  const cluster = fakeCluster();
  await install(cluster, quickstart());
  for (const [name, home] of [
    ['mine', NS],
    ['other', 'another-home'],
  ] as const) {
    const labels = { [PART_OF_LABEL]: PART_OF };
    cluster.put({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels, annotations: { 'genai-obs.io/home': home } },
    });
    cluster.record('jaeger', 'deployed', 1, OURS, { namespace: name });
  }
  await install(cluster, quickstart());
  expect(uninstalled(cluster)).toEqual(['helm uninstall jaeger']);
  expect(cluster.get('Secret', 'sh.helm.release.v1.jaeger.v1', 'mine')).toBeUndefined();
  expect(cluster.get('Secret', 'sh.helm.release.v1.jaeger.v1', 'other')).toBeDefined();
});

it('fails before anything changes when a chart cannot be downloaded', async () => {
  const cluster = fakeCluster();
  const charts = { ...cluster.charts };
  cluster.charts.path = (chart) =>
    chart.name === 'metrics-server'
      ? Promise.reject(new ObsError({ what: 'the chart cannot be fetched' }))
      : charts.path(chart);
  const config = withMetricsServer();
  const plan = buildPlan(config);
  await expect((await session(cluster, config, plan)).result).rejects.toThrow('the chart cannot be fetched');
  expect(cluster.calls).toEqual([]);
  // Charts of excluded steps are not downloaded.
  await (
    await session(cluster, config, plan, { excluded: ['release/metrics-server'] })
  ).result;
  expect(records(cluster)).toContain('loki');
});

const observed = (cluster: FakeCluster, config: Config): Promise<Observation> =>
  observe(
    buildPlan(config).find(({ kind }) => kind === 'prune')!,
    { ...contextOf(cluster), namespace: config.namespace },
  );
const removed = (cluster: FakeCluster): string[] =>
  cluster.calls.filter((call) => call.startsWith('remove ') || call.startsWith('helm uninstall'));

/** The gateway as a custom resource, and ServiceMonitors: seven kinds of objects that genai-obs applies itself. */
function withFeatures(over: JsonMap = {}): Config {
  return quickstart({
    'opentelemetry-operator': { enabled: true },
    'opentelemetry-collector': { chart: 'opentelemetry-operator' },
    serviceMonitors: { enabled: true },
    ...over,
  });
}

/** A cluster in which the operator has already created the gateway. */
async function withOperator(...configs: Config[]): Promise<FakeCluster> {
  const cluster = fakeCluster();
  for (const { namespace } of configs)
    cluster.put({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: 'otel-gateway-collector',
        namespace,
        ownerReferences: [{ kind: 'OpenTelemetryCollector', name: 'otel-gateway', uid: 'u' }],
      },
      spec: { replicas: 1, selector: { matchLabels: { app: 'gateway' } } },
      status: { observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1 },
    });
  for (const config of configs) await install(cluster, config);
  cluster.calls.length = 0;
  return cluster;
}

/** All objects of an installation: in its home namespace, and cluster-scoped ones with its name or annotation. */
const everythingOf = (cluster: FakeCluster, home: string): KubeObject[] =>
  [...PRUNED, 'Secret', 'PersistentVolumeClaim', 'Deployment', 'StatefulSet', 'DaemonSet', 'Namespace']
    .flatMap((kind) => cluster.all(kind))
    .filter(
      ({ metadata }) =>
        metadata.namespace === home ||
        (!metadata.namespace && (metadata.name === home || metadata.annotations?.[HOME_ANNOTATION] === home)),
    );

describe('objects of an optional feature', () => {
  it('are shown as deletions and deleted last when it is disabled; the next run changes nothing', async () => {
    const cluster = await withOperator(withFeatures());
    const kept = [
      ...cluster.all('PersistentVolumeClaim'),
      ...cluster.all('Secret').filter(({ metadata }) => metadata.labels?.['owner'] !== 'helm'),
    ];
    expect(kept.length).toBeGreaterThan(3);
    const going = [
      ...cluster.all('ServiceMonitor'),
      ...cluster.all('OpenTelemetryCollector'),
      ...cluster.all('NetworkPolicy'),
    ].map((one) => refText(refOf(one)));
    expect(going.length).toBeGreaterThan(5);

    const seen = await observed(cluster, quickstart());
    expect(seen).toMatchObject({ state: 'drifted', detail: `release ${NS}/opentelemetry-operator` });
    expect(new Set(seen.changes.map(({ action }) => action))).toEqual(new Set(['delete']));
    const shown = seen.changes.map(({ ref }) => refText(ref));
    expect(shown).toEqual(
      expect.arrayContaining([
        ...going,
        `ClusterRole ${NS}-otel-gateway-collector`,
        `ClusterRoleBinding ${NS}-otel-gateway-collector`,
      ]),
    );
    expect(removed(cluster)).toEqual([]);

    expect((await install(cluster, quickstart())).applied).toContain('removal/releases');
    for (const kind of ['ServiceMonitor', 'OpenTelemetryCollector', 'NetworkPolicy', 'ClusterRoleBinding'])
      expect(cluster.all(kind), kind).toEqual([]);
    // One deletion per object shown: the helm record of the operator counts as its release.
    expect(removed(cluster)).toHaveLength(shown.length);
    for (const object of kept)
      expect(cluster.get(object.kind, object.metadata.name), refText(refOf(object))).toEqual(object);

    expect(await observed(cluster, quickstart())).toEqual({ state: 'done', changes: [] });
    cluster.calls.length = 0;
    expect((await install(cluster, quickstart())).applied.filter((id) => id !== 'verify')).toEqual([]);
    expect(removed(cluster)).toEqual([]);
  });

  it('are kept while it stays enabled', async () => {
    const cluster = await withOperator(withFeatures());
    expect(await observed(cluster, withFeatures())).toEqual({ state: 'done', changes: [] });
    await install(cluster, withFeatures());
    expect(removed(cluster)).toEqual([]);
  });

  it('are deleted before their operator if they are custom resources, otherwise after it', async () => {
    const cluster = await withOperator(withFeatures());
    await install(cluster, quickstart());
    const at = (call: string): number => removed(cluster).indexOf(call);
    const operator = at('helm uninstall opentelemetry-operator');
    expect(at('remove OpenTelemetryCollector/otel-gateway')).toBeGreaterThanOrEqual(0);
    expect(at('remove OpenTelemetryCollector/otel-gateway')).toBeLessThan(operator);
    expect(at('remove ServiceMonitor/loki')).toBeLessThan(operator);
    expect(at(`remove ClusterRole/${NS}-otel-gateway-collector`)).toBeGreaterThan(operator);
  });

  it('keep the operator installed while a custom resource exists, and its finalizers are reported', async () => {
    const cluster = await withOperator(withFeatures());
    const { kube } = cluster;
    cluster.kube = {
      ...kube,
      remove: (ref) => (ref.kind === 'OpenTelemetryCollector' ? Promise.resolve(true) : kube.remove(ref)),
    };
    const live = cluster.get('OpenTelemetryCollector', 'otel-gateway')!;
    cluster.put({ ...live, metadata: { ...live.metadata, finalizers: ['opentelemetryoperator.io/finalizer'] } });
    await expect(install(cluster, quickstart(), 50)).rejects.toMatchObject({
      parts: {
        object: `OpenTelemetryCollector ${NS}/otel-gateway`,
        cause: 'finalizers: opentelemetryoperator.io/finalizer',
        next: 'wait a minute, then run install again: it resumes',
      },
    });
    expect(uninstalled(cluster)).toEqual([]);
  });

  it('are kept in another installation, even when one home name is a prefix of the other', async () => {
    const second = `${NS}-2`;
    const cluster = await withOperator(withFeatures(), withFeatures({ namespace: second }));
    const before = everythingOf(cluster, second);
    expect(before.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['ServiceMonitor', 'ClusterRole', 'OpenTelemetryCollector', 'PersistentVolumeClaim']),
    );
    await install(cluster, quickstart());
    expect(cluster.get('ClusterRoleBinding', `${NS}-otel-gateway-collector`)).toBeUndefined();
    expect(everythingOf(cluster, second)).toEqual(before);
    // And the other way round.
    const first = everythingOf(cluster, NS);
    await install(cluster, quickstart({ namespace: second }));
    expect(cluster.get('ClusterRoleBinding', `${second}-otel-gateway-collector`)).toBeUndefined();
    expect(everythingOf(cluster, NS)).toEqual(first);
  });

  it('are kept when flags exclude phases that may contain their replacements', () => {
    const plan = buildPlan(quickstart());
    const takesPart = (flags: Parameters<typeof excludedSteps>[1]): boolean =>
      !excludedSteps(plan, flags).has('removal/releases');
    expect([takesPart({}), takesPart({ skip: ['preflight', 'verify'] })]).toEqual([true, true]);
    expect([
      takesPart({ only: ['alerting'] }),
      takesPart({ skip: ['dashboards'] }),
      takesPart({ from: 'alerting' }),
    ]).toEqual([false, false, false]);
  });
});

describe('an object outside the plan', () => {
  const mine = (kind: string, over: Partial<KubeObject['metadata']> = {}, apiVersion = 'v1'): KubeObject => ({
    apiVersion,
    kind,
    metadata: {
      name: 'left',
      labels: ownLabels('loki'),
      annotations: { [HOME_ANNOTATION]: NS },
      managedFields: [{ manager: FIELD_MANAGER, operation: 'Apply' }],
      ...over,
    },
  });
  const stale = async (object: KubeObject): Promise<string[]> => {
    const cluster = fakeCluster();
    cluster.put(object);
    return (await observed(cluster, quickstart())).changes.map(({ ref }) => refText(ref));
  };

  it('is pruned when it has our labels, home annotation and field manager', async () => {
    expect(await stale(mine('ConfigMap'))).toEqual([`ConfigMap ${NS}/left`]);
    expect(await stale(mine('ClusterRole', {}, 'rbac.authorization.k8s.io/v1'))).toEqual(['ClusterRole left']);
  });

  it.each<[string, Partial<KubeObject['metadata']>]>([
    ['was created by an operator', { ownerReferences: [{ kind: 'OpenTelemetryCollector', name: 'x', uid: 'u' }] }],
    ['belongs to a chart', { annotations: { [HOME_ANNOTATION]: NS, 'meta.helm.sh/release-name': 'x' } }],
    ['is managed by another tool', { labels: { ...ownLabels('loki'), 'app.kubernetes.io/managed-by': 'Helm' } }],
    ['is part of another application', { labels: { ...ownLabels('loki'), [PART_OF_LABEL]: 'shop' } }],
    ['belongs to another installation', { annotations: { [HOME_ANNOTATION]: `${NS}-2` } }],
    ['has no home annotation', { annotations: {} }],
    ['was not applied, like the journal', { managedFields: [{ manager: 'node', operation: 'Update' }] }],
    ['was only patched by genai-obs', { managedFields: [{ manager: FIELD_MANAGER, operation: 'Update' }] }],
    ['is in a namespace of another owner', { namespace: 'shop' }],
  ])('is kept when it %s', async (_name, over) => {
    expect(await stale(mine('ConfigMap', over))).toEqual([]);
    if (!over.namespace) expect(await stale(mine('ClusterRole', over, 'rbac.authorization.k8s.io/v1'))).toEqual([]);
  });

  it.each([
    ['PersistentVolumeClaim', 'v1'],
    ['Secret', 'v1'],
    ['Namespace', 'v1'],
    ['PersistentVolume', 'v1'],
    ['Lease', 'coordination.k8s.io/v1'],
    ['CustomResourceDefinition', 'apiextensions.k8s.io/v1'],
  ])('is never pruned when it is a %s', async (kind, apiVersion) => {
    expect(await stale(mine(kind, {}, apiVersion))).toEqual([]);
  });
});

it.each(readdirSync('profiles').map((file) => file.replace(/\.yaml$/, '')))(
  'profile %s applies only kinds that can be pruned, and annotates each object with its home',
  (name) => {
    const steps = buildPlan(profile(name)).flatMap((step) =>
      step.kind === 'objects' && !step.data && step.phase !== 'namespaces' ? [step] : [],
    );
    const objects = steps.flatMap((step) => step.objects);
    expect(
      [...new Set(objects.map(({ kind }) => kind))].filter((kind) => !(PRUNED as readonly string[]).includes(kind)),
    ).toEqual([]);
    for (const { kind, metadata } of objects)
      expect(metadata.annotations?.[HOME_ANNOTATION], `${kind} ${metadata.name}`).toBeTruthy();
  },
);

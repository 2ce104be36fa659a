import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { podLabelsOf, placeOf } from '../../src/parts/catalog.ts';
import { at, listAt, mapAt, set } from '../../src/core/json.ts';
import { yamlAsset } from '../../src/core/assets.ts';
import type { Json, JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { profile, quickstart } from './support/config.ts';
import { configured, gateway } from './support/genops.ts';
import { inside } from './support/plan.ts';
import { bedProgram, start, stopAll, until } from './support/programs.ts';

const batchOf = (batch: string, mode = 'head'): JsonMap =>
  configured(
    'opentelemetry-collector',
    quickstart({ 'opentelemetry-collector': { batch }, genai: { sampling: { mode } } }),
  );
const queues = (config: JsonMap): (Json | undefined)[] =>
  Object.values(mapAt(config, 'exporters')).map((one) => at(one, 'sending_queue', 'queue_size'));

describe('batches of the gateway', () => {
  it('have three presets, by default with a timeout of one second', () => {
    const sizes = ['low-latency', 'balanced', 'throughput'].map((batch) =>
      mapAt(batchOf(batch), 'processors', 'batch'),
    );
    expect(sizes.map((one) => [one['timeout'], one['send_batch_size']])).toEqual([
      ['1s', 2048],
      ['10s', 1024],
      ['10s', 10_000],
    ]);
    expect(configured('opentelemetry-collector', quickstart())).toEqual(batchOf('low-latency'));
    expect(() => batchOf('slow')).toThrow(/opentelemetry-collector\.batch/);
  });

  it.each(['head', 'tail'])('fit into every queue at 8 KiB per item, with %s sampling', (mode) => {
    for (const batch of ['low-latency', 'balanced', 'throughput']) {
      const config = batchOf(batch, mode);
      const largest = Number(at(config, 'processors', 'batch', 'send_batch_max_size'));
      expect(largest).toBeGreaterThanOrEqual(Number(at(config, 'processors', 'batch', 'send_batch_size')));
      expect(queues(config).length).toBeGreaterThan(2);
      for (const size of queues(config)) expect(Number(size), batch).toBeGreaterThanOrEqual(8192 * largest);
    }
  });
});

describe('a gateway of the operator', () => {
  const made = (over: JsonMap): KubeObject | undefined =>
    buildPlan(profile('k3s', over))
      .flatMap((step) => (step.kind === 'objects' ? step.objects : []))
      .find(({ kind, metadata }) => kind === 'OpenTelemetryCollector' && metadata.name === 'otel-gateway');

  it('is spread over nodes and zones by labels of its pods', () => {
    const config = profile('k3s');
    for (const [over, when] of [
      [{}, 'ScheduleAnyway'] as const,
      [{ 'opentelemetry-collector': { spread: 'DoNotSchedule' } }, 'DoNotSchedule'] as const,
    ]) {
      const constraints = listAt({ list: inside(made(over), 'spec', 'topologySpreadConstraints') ?? [] }, 'list');
      expect(
        constraints.map((one) => [at(one, 'topologyKey'), at(one, 'whenUnsatisfiable'), at(one, 'maxSkew')]),
      ).toEqual([
        ['kubernetes.io/hostname', when, 1],
        ['topology.kubernetes.io/zone', when, 1],
      ]);
      for (const one of constraints)
        expect(at(one, 'labelSelector', 'matchLabels')).toEqual(
          podLabelsOf(placeOf(config, 'opentelemetry-collector')),
        );
    }
  });
});

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-gateway-'));
afterAll(() => {
  stopAll();
  rmSync(dir, { recursive: true, force: true });
});
const otelcol = bedProgram('otelcol');
const prometheus = bedProgram('prometheus');

describe.skipIf(!otelcol)(
  `the collector itself${otelcol ? '' : ' (skipped: otelcol is not built for the bed)'}`,
  () => {
    it.each([
      ['balanced', 'head'],
      ['throughput', 'head'],
      ['throughput', 'tail'],
    ])('accepts batches %s with %s sampling', (batch, mode) => {
      const file = join(dir, `${batch}.yaml`);
      writeFileSync(file, stringify(batchOf(batch, mode)));
      const { status, stderr } = spawnSync(otelcol ?? '', ['validate', '--config', file], {
        encoding: 'utf8',
        env: { ENVIRONMENT: 'test', CLUSTER_NAME: 'test' },
      });
      expect(status, stderr).toBe(0);
    });
  },
);

describe.skipIf(!otelcol || !prometheus)(
  `the gateway of GenOps${otelcol && prometheus ? '' : ' (skipped: otelcol and prometheus are not built for the bed)'}`,
  () => {
    it('counts a call for the team of its span, else of its resource', async () => {
      const [otlp, web] = [await getPort(), await getPort()];
      const { otlp: translation, storage } = yamlAsset('templates', 'prometheus', 'config.yaml');
      writeFileSync(join(dir, 'prometheus.yaml'), stringify({ otlp: translation, storage }));
      const store = start(prometheus ?? '', [
        `--config.file=${join(dir, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${web}`,
        '--web.enable-otlp-receiver',
      ]);
      const ready = (): Promise<true | undefined> =>
        fetch(`http://127.0.0.1:${web}/-/ready`).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        );
      await until(ready, store.said);
      // Without a cluster for pod lookups, and without a backend for traces.
      const edits: [string[], Json][] = [
        [['receivers', 'otlp', 'protocols'], { http: { endpoint: `127.0.0.1:${otlp}` } }],
        [['exporters', 'otlp_http/prometheus', 'endpoint'], `http://127.0.0.1:${web}/api/v1/otlp`],
        [
          ['service', 'pipelines', 'traces/in', 'processors'],
          ['memory_limiter', 'resource', 'transform/genops'],
        ],
        [['service', 'pipelines', 'metrics', 'processors'], ['batch']],
        [['service', 'extensions'], []],
        [['service', 'telemetry'], { metrics: { level: 'none' } }],
      ];
      const local = edits.reduce(
        (out, [path, value]) => set(out, path, value),
        gateway({ loki: { enabled: false }, jaeger: { enabled: false } }),
      );
      writeFileSync(join(dir, 'genops.yaml'), stringify(local).replaceAll(/\$\{env:\w+\}/g, 'test'));
      const running = start(otelcol ?? '', [`--config=${join(dir, 'genops.yaml')}`]);
      const said = (): string => [running, store].map((one) => one.said().slice(-3000)).join('\n');
      const text = (entries: Record<string, string>) =>
        Object.entries(entries).map(([key, value]) => ({ key, value: { stringValue: value } }));
      const span = (name: string, attributes: Record<string, string>) => ({
        traceId: '0af7651916cd43dd8448eb211c80319c',
        spanId: 'b7ad6b7169203331',
        name,
        kind: 3,
        startTimeUnixNano: `${Date.now()}000000`,
        endTimeUnixNano: `${Date.now() + 5}000000`,
        attributes: text({ 'genops.policy.result': 'blocked', ...attributes }),
      });
      const of = (service: string, team: Record<string, string>, spans: object[]) => ({
        resource: { attributes: text({ 'service.name': service, ...team }) },
        scopeSpans: [{ spans }],
      });
      const spans = (own: string) => [span('says nothing', {}), span('says so', { 'genops.team': own })];
      const body = JSON.stringify({
        resourceSpans: [of('without', {}, spans('search')), of('with', { 'genops.team': 'platform' }, spans('search'))],
      });
      const headers = { 'content-type': 'application/json' };
      const sent = (): Promise<true | undefined> =>
        fetch(`http://127.0.0.1:${otlp}/v1/traces`, { method: 'POST', headers, body }).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        );
      await until(sent, said);
      const counted = await until(async () => {
        const query = encodeURIComponent('traces_span_metrics_calls_total{genops_policy_result="blocked"}');
        const answer = (await (await fetch(`http://127.0.0.1:${web}/api/v1/query?query=${query}`)).json()) as JsonMap;
        const series = listAt(answer, 'data', 'result').map((one) => mapAt(one, 'metric'));
        return series.length === 4
          ? series.map((one) => [one['service_name'], one['span_name'], one['genops_team'] ?? ''].join(': '))
          : undefined;
      }, said);
      expect(counted.toSorted()).toEqual([
        'with: says nothing: platform',
        'with: says so: search',
        'without: says nothing: ',
        'without: says so: search',
      ]);
      await Promise.all([running.stop(), store.stop()]);
    }, 90_000);
  },
);

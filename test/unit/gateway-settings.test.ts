import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { podLabelsOf, placeOf } from '../../src/components/catalog.ts';
import { at, listAt, mapAt } from '../../src/components/edit.ts';
import type { Json, JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan.ts';
import { profile, quickstart } from './support/config.ts';
import { configured } from './support/genops.ts';
import { inside } from './support/plan.ts';
import { bedProgram } from './support/programs.ts';

const batchOf = (batch: string, mode = 'head'): JsonMap =>
  configured('opentelemetry-collector', quickstart({ 'opentelemetry-collector': { batch }, genai: { sampling: { mode } } }));
const queues = (config: JsonMap): (Json | undefined)[] => Object.values(mapAt(config, 'exporters')).map((one) => at(one, 'sending_queue', 'queue_size'));

describe('batches of the gateway (X-11)', () => {
  it('are gathered as the documents say, a second unless asked for', () => {
    const sizes = ['low-latency', 'balanced', 'throughput'].map((batch) => mapAt(batchOf(batch), 'processors', 'batch'));
    expect(sizes.map((one) => [one['timeout'], one['send_batch_size']])).toEqual([
      ['1s', 2048],
      ['10s', 1024],
      ['10s', 10_000],
    ]);
    expect(configured('opentelemetry-collector', quickstart())).toEqual(batchOf('low-latency'));
    expect(() => batchOf('slow')).toThrow(/opentelemetry-collector\.batch/);
  });

  it.each(['head', 'tail'])('fit into every queue with 8 KiB an item, sampled at the %s', (mode) => {
    for (const batch of ['low-latency', 'balanced', 'throughput']) {
      const config = batchOf(batch, mode);
      const largest = Number(at(config, 'processors', 'batch', 'send_batch_max_size'));
      expect(largest).toBeGreaterThanOrEqual(Number(at(config, 'processors', 'batch', 'send_batch_size')));
      expect(queues(config).length).toBeGreaterThan(2);
      for (const size of queues(config)) expect(Number(size), batch).toBeGreaterThanOrEqual(8192 * largest);
    }
  });
});

describe('a gateway of the operator (B.1-17)', () => {
  const gateway = (over: JsonMap): KubeObject | undefined =>
    buildPlan(profile('k3s', over))
      .flatMap((step) => (step.kind === 'objects' ? step.objects : []))
      .find(({ kind, metadata }) => kind === 'OpenTelemetryCollector' && metadata.name === 'otel-gateway');

  it('is spread over nodes and zones by labels that its pods have', () => {
    const config = profile('k3s');
    for (const [over, when] of [[{}, 'ScheduleAnyway'] as const, [{ 'opentelemetry-collector': { spread: 'DoNotSchedule' } }, 'DoNotSchedule'] as const]) {
      const constraints = listAt({ list: inside(gateway(over), 'spec', 'topologySpreadConstraints') ?? [] }, 'list');
      expect(constraints.map((one) => [at(one, 'topologyKey'), at(one, 'whenUnsatisfiable'), at(one, 'maxSkew')])).toEqual([
        ['kubernetes.io/hostname', when, 1],
        ['topology.kubernetes.io/zone', when, 1],
      ]);
      for (const one of constraints) expect(at(one, 'labelSelector', 'matchLabels')).toEqual(podLabelsOf(placeOf(config, 'opentelemetry-collector')));
    }
  });
});

const otelcol = bedProgram('otelcol');

describe.skipIf(!otelcol)(`the collector itself${otelcol ? '' : ' (skipped: the test bed has built no otelcol)'}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-gateway-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it.each(['balanced', 'throughput'])('takes batches %s', (batch) => {
    const file = join(dir, `${batch}.yaml`);
    writeFileSync(file, stringify(batchOf(batch)));
    const { status, stderr } = spawnSync(otelcol ?? '', ['validate', '--config', file], {
      encoding: 'utf8',
      env: { ENVIRONMENT: 'test', CLUSTER_NAME: 'test' },
    });
    expect(status, stderr).toBe(0);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { extended, profileLayer } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { type FakeCluster, fakeCluster } from './support/cluster.ts';
import { session } from './support/engine.ts';

const NAMESPACE = 'genai-observability';
const TOKEN = 'glc_only-in-the-secret';
// The fake cluster's home is the default namespace.
const config = resolve([
  ...extended(profileLayer('grafana-cloud')),
  {
    source: 'test',
    data: {
      namespace: NAMESPACE,
      'k8s-monitoring': { destination: { otlp: { url: 'https://gateway.example/otlp', user: '123456' } } },
    },
  },
]);
const steps = buildPlan(config);

let cluster: FakeCluster;
beforeEach(() => {
  cluster = fakeCluster();
  // Workloads that the Alloy operator would create.
  for (const step of steps)
    if (step.kind === 'release')
      for (const { kind, name } of step.workloads)
        cluster.put({
          apiVersion: 'apps/v1',
          kind,
          metadata: { name, namespace: NAMESPACE },
          spec: { replicas: 1 },
          status: {
            observedGeneration: 1,
            replicas: 1,
            readyReplicas: 1,
            updatedReplicas: 1,
            desiredNumberScheduled: 1,
            numberReady: 1,
            updatedNumberScheduled: 1,
          },
        });
});
afterEach(() => vi.unstubAllEnvs());

describe('install of grafana-cloud', () => {
  it('without a token changes nothing and names the variable', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', undefined);
    const before = cluster.calls.length;
    const run = await session(cluster, config, steps);
    await expect(run.result).rejects.toMatchObject({
      parts: { what: 'a secret value is missing: GRAFANA_CLOUD_TOKEN' },
      exit: 2,
    });
    expect(run.events).toEqual([]);
    expect(cluster.calls.slice(before).filter((call) => /create|apply|replace|upgrade|patch/.test(call))).toEqual([]);
  });

  it('writes the token only to the Secret, before the release; a second run needs no token', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const first = await session(cluster, config, steps);
    await first.result;
    const data = cluster.get('Secret', 'grafana-cloud')?.['data'] as Record<string, string>;
    expect(Buffer.from(data['token'] ?? '', 'base64').toString()).toBe(TOKEN);
    const elsewhere = JSON.stringify([first.journal, first.events, cluster.calls, cluster.all('ConfigMap'), steps]);
    for (const form of [TOKEN, Buffer.from(TOKEN).toString('base64')]) expect(elsewhere).not.toContain(form);
    const done = first.of('done');
    expect(done.indexOf('secret/grafana-cloud')).toBeLessThan(done.indexOf('release/k8s-monitoring'));
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', undefined);
    const again = await session(cluster, config, steps, { journal: first.journal });
    expect((await again.result).unchanged).toContain('secret/grafana-cloud');
  });
});

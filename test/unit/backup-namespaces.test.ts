import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backupAll } from '../../src/backup/flows/backup.ts';
import { restoreAll } from '../../src/backup/flows/restore.ts';
import { REPLICAS } from '../../src/backup/claims/workload.ts';
import { placeOf } from '../../src/parts/catalog.ts';
import type { Config } from '../../src/profile/schema.ts';
import { type Stage, put, stage } from './backup-support.ts';
import { quickstart } from './support/config.ts';

// Runs real shells, tar and scrypt.
vi.setConfig({ testTimeout: 60_000 });

/** Stores in `monitoring`, Grafana in `grafana`, Prometheus as the Deployment of its upstream chart. */
function spread(): Config {
  const config = quickstart();
  for (const id of ['prometheus', 'alertmanager', 'loki', 'tempo'] as const) config[id].namespace = 'monitoring';
  Object.assign(config.prometheus, { chart: 'prometheus' });
  Object.assign(config.grafana, { chart: 'grafana', namespace: 'grafana' });
  return config;
}

let self: Stage;
let out: string;
let made: string[];
let asked: string[];
let tunnels: unknown[];

beforeEach(async () => {
  self = await stage(spread());
  out = join(self.root, 'out');
  put(self.data('loki', 'chunks', 'fake', 'a'), 'chunk');
  put(self.data('tempo', 'blocks', 'single-tenant', 'b1', 'data.parquet'), 'block');
  made = [];
  asked = [];
  tunnels = [];
  const { kube, kubectl } = self.deps;
  const real = { ...kube, ...kubectl };
  kube.create = (object) => (
    made.push(`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`),
    real.create(object)
  );
  kube.service = (namespace, name, port, path, options) => (
    asked.push(`${namespace}/${name}:${port}`),
    real.service(namespace, name, port, path, options)
  );
  kubectl.portForward = (name, port, options) => (
    tunnels.push([name, port, options]),
    real.portForward(name, port, options)
  );
});
afterEach(() => self.close());

const run = (): Promise<unknown> => backupAll(self.deps, { output: out, includeSecrets: true });
const restore = (only: string[]): Promise<unknown> =>
  restoreAll(self.deps, { path: out, yes: true, only, includeSecrets: true }, () => {});

describe('a backup of several namespaces', () => {
  it('starts each helper pod in the namespace of the claim, and calls each Service in its own', async () => {
    await run();
    expect(made).toEqual([
      'Pod monitoring/backup-prometheus',
      'Pod monitoring/backup-loki',
      'Pod monitoring/backup-tempo',
    ]);
    expect(new Set(asked)).toEqual(new Set(['monitoring/prometheus:9090', 'monitoring/alertmanager:9093']));
    expect(tunnels).toEqual([['grafana', 80, { namespace: 'grafana' }]]);
    expect(self.cluster.all('Pod').filter(({ metadata }) => metadata.name.startsWith('backup-'))).toEqual([]);
  });

  it('warns that traces in Jaeger are not in the backup, and lists them as skipped in a restore', async () => {
    Object.assign(self.deps.config.tempo, { enabled: false });
    Object.assign(self.deps.config.jaeger, { enabled: true, namespace: 'monitoring' });
    const { warnings } = await backupAll(self.deps, { output: out, includeSecrets: true });
    const why = 'memory: they cannot be copied and are not in the backup';
    expect(warnings).toContain(`Jaeger stores traces in ${why}`);
    expect(made).not.toContain('Pod monitoring/backup-tempo');
    const { plan } = await restoreAll(self.deps, { path: out, dryRun: true, only: ['jaeger'] }, () => {});
    expect(plan).toEqual([
      {
        store: 'jaeger',
        actions: [{ object: 'Deployment monitoring/jaeger', action: 'skip', detail: `traces are in ${why}` }],
      },
    ]);
  });

  it('restores data and Secrets into their namespaces', async () => {
    await run();
    writeFileSync(self.data('loki', 'chunks', 'fake', 'a'), 'spoilt');
    put(self.data('prometheus', '01NEW', 'meta.json'), '{}');
    await self.cluster.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'grafana', name: 'grafana-admin' });
    await restore(['prometheus', 'loki', 'secrets']);
    expect(readFileSync(self.data('loki', 'chunks', 'fake', 'a'), 'utf8')).toBe('chunk');
    expect(readFileSync(self.data('prometheus', '01ABC', 'meta.json'), 'utf8')).toBe('{}');
    expect(self.cluster.get('Secret', 'grafana-admin', 'grafana')).toBeDefined();
    expect([self.replicas('loki'), self.replicas('prometheus')]).toEqual([1, 1]);
    expect(self.cluster.calls).toEqual(expect.arrayContaining(['scale prometheus 0', 'scale prometheus 1']));
  });

  it('starts workloads that a killed run left stopped, in any namespace', async () => {
    const { workload, namespace } = placeOf(self.deps.config, 'prometheus');
    const live = self.cluster.get(workload.kind, workload.name, namespace)!;
    self.cluster.put({
      ...live,
      metadata: { ...live.metadata, labels: {}, annotations: { [REPLICAS]: '1' } },
      spec: { ...(live['spec'] as object), replicas: 0 },
    });
    await run();
    expect(self.replicas('prometheus')).toBe(1);
    rmSync(out, { recursive: true });
  });
});

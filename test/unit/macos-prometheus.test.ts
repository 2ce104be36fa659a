import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import { readAsset, yamlAsset } from '../../src/core/assets.ts';
import { panelQueries, runPanel } from '../cluster/support/panels.ts';
import { quickstart } from './support/config.ts';
import { at, collector, gateway, mac, prometheus, setUp, skipped, tearDown } from './support/mac.ts';
import { start, until } from './support/programs.ts';

beforeAll(setUp);
afterAll(tearDown);

const noStore = skipped ?? (prometheus === undefined ? 'prometheus is not built for the bed' : undefined);

describe.skipIf(noStore !== undefined)(`Prometheus${noStore ? ` (skipped: ${noStore})` : ''}`, () => {
  it('has the documented series, data for every panel, and rules that evaluate', async () => {
    const [grpc, web] = [await getPort(), await getPort()];
    const dir = at('prometheus');
    mkdirSync(dir);
    writeFileSync(join(dir, 'macos.yaml'), ruleFiles(quickstart({ macos: { enabled: true } }))['macos.yaml'] ?? '');
    const { otlp, storage } = yamlAsset('templates', 'prometheus', 'config.yaml');
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      stringify({ global: { evaluation_interval: '1s' }, otlp, storage, rule_files: ['macos.yaml'] }),
    );
    const store = start(prometheus ?? '', [
      `--config.file=${join(dir, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${web}`,
      '--web.enable-otlp-receiver',
    ]);
    const url = `http://127.0.0.1:${web}`;
    const get = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
    const ready = (): Promise<true | undefined> =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok || undefined,
        () => undefined,
      );
    await until(ready, store.said);
    const there = gateway(grpc, 'mtls', { otlp_http: { endpoint: `${url}/api/v1/otlp` } });
    const here = collector(mac(grpc, { mtls: at('certs') }));
    const said = (): string => [here, there, store].map((one) => one.said().slice(-2000)).join('\n');

    const values = async (query: string): Promise<string[] | undefined> => {
      const { data } = (await get(`/api/v1/query?query=${encodeURIComponent(query)}`)) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return data.result.length
        ? data.result.map(({ metric, value }) => `${metric['job']} ${metric['host_name']} ${value[1]}`)
        : undefined;
    };
    expect(await until(() => values('macos_cpu_temperature_celsius'), said)).toEqual(['macos-host studio-1 52.318077']);
    expect(await until(() => values('macos_power_consumption_watts'), said)).toEqual(['macos-host studio-1 61.40625']);
    expect(await until(() => values('macos_memory_pressure'), said)).toEqual(['macos-host studio-1 4']);
    expect(await until(() => values('macos_thermal_throttling'), said)).toEqual(['macos-host studio-1 2']);

    const board = JSON.parse(readAsset('templates', 'dashboards', 'macos-monitoring.json')) as object;
    const api = (path: string): Promise<unknown> => get(path.replace('/api/datasources/proxy/uid/prometheus', ''));
    for (const query of panelQueries(board)) {
      const now = (): { from: number; to: number } => ({ from: Date.now() / 1000 - 300, to: Date.now() / 1000 });
      const found = await until(
        async () => (await runPanel(query, api, now())) || undefined,
        () => `${query.query}\n${said()}`,
      );
      expect(found, query.query).toBeGreaterThan(0);
    }

    // A Mac whose last sample is 15 minutes old.
    const point = {
      asDouble: 1,
      timeUnixNano: `${Date.now() - 900_000}000000`,
      attributes: [{ key: 'source', value: { stringValue: 'macmon' } }],
    };
    const resource = {
      attributes: [
        { key: 'host.name', value: { stringValue: 'asleep' } },
        { key: 'service.name', value: { stringValue: 'macos-host' } },
      ],
    };
    const body = {
      resourceMetrics: [
        { resource, scopeMetrics: [{ metrics: [{ name: 'macos.source.up', gauge: { dataPoints: [point] } }] }] },
      ],
    };
    const pushed = await fetch(`${url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(pushed.status).toBe(200);
    const firing = await until(async () => {
      const { data } = (await get('/api/v1/rules')) as {
        data: {
          groups: {
            rules: {
              name: string;
              health: string;
              lastError?: string;
              state: string;
              alerts: { labels: Record<string, string> }[];
            }[];
          }[];
        };
      };
      const rules = data.groups.flatMap((group) => group.rules);
      expect(rules.filter(({ lastError }) => lastError)).toEqual([]);
      const states = rules.map(({ name, state, alerts }) =>
        `${name} ${state} ${alerts.map(({ labels }) => labels['host_name']).join()}`.trim(),
      );
      return states.some((text) => text.startsWith('MacCollectorStale firing')) ? states : undefined;
    }, said);
    expect(firing).toEqual([
      'MacCpuTemperatureHigh inactive',
      'MacThermalThrottling pending studio-1',
      'MacMemoryPressure pending studio-1',
      'MacCollectorStale firing asleep',
      'MacSourceDown inactive',
    ]);
    await Promise.all([here.stop(), there.stop(), store.stop()]);
  }, 120_000);
});

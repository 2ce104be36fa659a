import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { datasources } from '../../src/parts/grafana/datasources.ts';
import { at, listAt, mapAt, set } from '../../src/core/json.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { mebibytes } from '../../src/profile/values.ts';
import { quickstart } from './support/config.ts';
import { configured, genops, specOf } from './support/genops.ts';
import { planOf } from './support/plan.ts';
import { bedProgram, start, stopAll, until } from './support/programs.ts';

const server = (over: JsonMap, chart = 'genai-obs') => quickstart({ prometheus: { chart, server: over } });
const chartValues = (over: JsonMap): JsonMap => planOf(server(over, 'prometheus')).values('prometheus', 'server');
const stepOfPanels = (over: JsonMap) =>
  at(
    listAt(datasources(server(over)), 'datasources').find((one) => at(one, 'uid') === 'prometheus'),
    'jsonData',
    'timeInterval',
  );

describe('retention by size', () => {
  it('is set in addition to the time in every chart, and only if configured', () => {
    const cap = { retentionSize: '6GB' };
    expect(planOf(server(cap)).release('prometheus').values).toMatchObject({ retention: '15d', retentionSize: '6GB' });
    expect(chartValues(cap)).toMatchObject({ retention: '15d', retentionSize: '6GB' });
    expect(specOf(genops({ prometheus: { server: { retentionSize: '40GB' } } }))).toMatchObject({
      retention: '30d',
      retentionSize: '40GB',
    });
    for (const values of [planOf(server({})).release('prometheus').values, chartValues({}), specOf(genops())])
      expect(values).not.toHaveProperty('retentionSize');
  });

  it('must be less than the claim, if there is one', () => {
    expect(() => server({ retentionSize: '8GB' })).toThrow(/not less than the claim/);
    expect(() => server({ retentionSize: '1TB', size: '1000Gi' })).toThrow(/not less than the claim/);
    expect(() => server({ retentionSize: '8191MB' })).not.toThrow();
    expect(() => server({ retentionSize: '8Gi' })).toThrow(/must be a size such as/);
    expect(() =>
      quickstart({ storage: { enabled: false }, prometheus: { server: { retentionSize: '50GB' } } }),
    ).not.toThrow();
  });

  it('is parsed as Prometheus reports it', () => {
    expect([mebibytes('1TB'), mebibytes('1TiB512GiB'), mebibytes('50GiB'), mebibytes('')]).toEqual([
      1024 ** 2,
      1.5 * 1024 ** 2,
      50 * 1024,
      0,
    ]);
  });
});

describe('scrape interval', () => {
  it('is one setting for every chart', () => {
    expect(configured('prometheus', server({}))['global']).toMatchObject({
      scrape_interval: '15s',
      scrape_timeout: '10s',
    });
    const slow = { scrapeInterval: '60s' };
    expect(configured('prometheus', server(slow))['global']).toMatchObject({
      scrape_interval: '60s',
      scrape_timeout: '10s',
    });
    expect(chartValues(slow)['global']).toMatchObject({ scrape_interval: '60s' });
    expect(specOf(genops({ prometheus: { server: slow } }))).toMatchObject({
      scrapeInterval: '60s',
      scrapeTimeout: '10s',
    });
  });

  it('has no timeout above the interval', () => {
    expect(configured('prometheus', server({ scrapeInterval: '5s' }))['global']).toMatchObject({
      scrape_interval: '5s',
      scrape_timeout: '5s',
    });
  });

  it('widens the rates of panels, and leaves rules four samples in five minutes', () => {
    expect(['5s', '15s', '30s', '45s', '1m'].map((scrapeInterval) => stepOfPanels({ scrapeInterval }))).toEqual([
      '30s',
      '30s',
      '30s',
      '45s',
      '1m',
    ]);
    for (const scrapeInterval of ['61s', '2m']) expect(() => server({ scrapeInterval })).toThrow(/is more than 60s/);
    expect(() => server({ scrapeInterval: '0s' })).toThrow(/must be an interval/);
  });
});

const MIMIR = { url: 'https://mimir.example.org/api/v1/push', tenant: 'genai', secret: { name: 'mimir' } };
const OTHER = { url: 'http://prometheus.other.svc:9090/api/v1/write' };
const TOKEN = { url: 'https://thanos.example.org/api/v1/receive', secret: { name: 'thanos', tokenKey: 'token' } };

describe('remote write', () => {
  const remoteWrite = [MIMIR, OTHER, TOKEN];
  const written = [
    {
      url: MIMIR.url,
      headers: { 'X-Scope-OrgID': 'genai' },
      basic_auth: { username_file: '/etc/secrets/mimir/username', password_file: '/etc/secrets/mimir/password' },
    },
    OTHER,
    { url: TOKEN.url, authorization: { credentials_file: '/etc/secrets/thanos/token' } },
  ];

  it('reads credentials from mounted Secrets, with our chart and the prometheus chart', () => {
    const own = planOf(server({ remoteWrite })).release('prometheus').values;
    expect(at(own, 'config', 'remote_write')).toEqual(written);
    expect(own['secretFiles']).toEqual([
      { secret: 'mimir', key: 'username', path: 'mimir/username' },
      { secret: 'mimir', key: 'password', path: 'mimir/password' },
      { secret: 'thanos', key: 'token', path: 'thanos/token' },
    ]);
    const chart = chartValues({ remoteWrite });
    expect(chart['remoteWrite']).toEqual(written);
    expect(
      listAt(chart, 'extraSecretMounts').map((mount) => [at(mount, 'secretName'), at(mount, 'mountPath')]),
    ).toEqual([
      ['mimir', '/etc/secrets/mimir'],
      ['thanos', '/etc/secrets/thanos'],
    ]);
    expect(configured('prometheus', server({}))).not.toHaveProperty('remote_write');
  });

  it('refers to Secrets in the operator’s custom resource', () => {
    expect(specOf(genops({ prometheus: { server: { remoteWrite } } }))['remoteWrite']).toEqual([
      {
        url: MIMIR.url,
        headers: { 'X-Scope-OrgID': 'genai' },
        basicAuth: { username: { name: 'mimir', key: 'username' }, password: { name: 'mimir', key: 'password' } },
      },
      OTHER,
      { url: TOKEN.url, authorization: { credentials: { name: 'thanos', key: 'token' } } },
    ]);
  });

  it('accepts no credentials in a profile', () => {
    expect(() => server({ remoteWrite: [{ url: 'https://me:secret@mimir.example.org/push' }] })).toThrow(
      /without credentials/,
    );
    expect(() => server({ remoteWrite: [{ ...OTHER, secret: { name: 'mimir', password: 'x' } }] })).toThrow(
      /unknown setting/,
    );
  });
});

const program = bedProgram('prometheus');

describe.skipIf(!program)(
  `Prometheus with these settings${program ? '' : ' (skipped: prometheus is not built for the bed)'}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'genai-obs-prometheus-'));
    afterAll(() => {
      stopAll();
      rmSync(dir, { recursive: true, force: true });
    });

    it('accepts them, and authenticates to its remote write target', async () => {
      const seen: string[] = [];
      const other = createServer((request, response) => {
        const { authorization, 'x-scope-orgid': tenant } = request.headers;
        seen.push(`${request.url} ${authorization} ${tenant}`);
        request.resume().on('end', () => response.writeHead(204).end());
      });
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      const to = [
        { ...MIMIR, url: `${url}/mimir` },
        { ...TOKEN, url: `${url}/thanos` },
      ];
      const config = server({ scrapeInterval: '1s', retentionSize: '6GB', remoteWrite: to });
      for (const [path, text] of Object.entries({
        'mimir/username': 'me',
        'mimir/password': 'secret',
        'thanos/token': 'bearer',
      })) {
        mkdirSync(join(dir, path, '..'), { recursive: true });
        writeFileSync(join(dir, path), text);
      }
      const port = await getPort();
      // Scrapes only itself, because there is no cluster for discovery.
      const jobs = [{ job_name: 'prometheus', static_configs: [{ targets: [`127.0.0.1:${port}`] }] }];
      const rendered = set(set(configured('prometheus', config), ['scrape_configs'], jobs), ['rule_files'], []);
      writeFileSync(join(dir, 'prometheus.yml'), stringify(rendered).replaceAll('/etc/secrets', dir));
      const { retention, retentionSize } = planOf(config).release('prometheus').values;
      const store = start(program ?? '', [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--storage.tsdb.retention.time=${String(retention)}`,
        `--storage.tsdb.retention.size=${String(retentionSize)}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ]);
      const basic = `/mimir Basic ${Buffer.from('me:secret').toString('base64')} genai`;
      const written = () => (seen.includes(basic) && seen.includes('/thanos Bearer bearer undefined')) || undefined;
      await until(written, () => `${seen.join('\n')}\n${store.said().slice(-2000)}`, 60);
      const runtime = (await (await fetch(`http://127.0.0.1:${port}/api/v1/status/runtimeinfo`)).json()) as JsonMap;
      expect(mapAt(runtime, 'data')['storageRetention']).toBe('15d or 6GiB');
      await store.stop();
      other.close();
    }, 90_000);
  },
);

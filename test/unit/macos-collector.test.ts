import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ruleFiles } from '../../src/components/rulefiles.ts';
import { readAsset, yamlAsset } from '../../src/core/assets.ts';
import { HOME, writeBundles } from '../../src/macos/bundle.ts';
import { type BundleFlags, requestOf } from '../../src/macos/request.ts';
import { panelQueries, runPanel } from '../cluster/support/panels.ts';
import { certs, noCerts } from './support/certs.ts';
import { quickstart } from './support/config.ts';
import { type Running, bedProgram, freePort, start, stopAll, stubsIn, until } from './support/programs.ts';

// The collector's own configuration, run by the collector that the test bed has built for Linux; only paths and ports are others.
const otelcol = bedProgram('otelcol');
const prometheus = bedProgram('prometheus');
const skipped = otelcol === undefined ? 'the test bed has built no otelcol' : noCerts;

const work = mkdtempSync(join(tmpdir(), 'genai-obs-mac-'));
const at = (...parts: string[]): string => join(work, ...parts);
const TOKEN = 'c2VjcmV0LXRva2Vu';
const servers: { close: () => void }[] = [];
let macmonPort = 0;
let pressurePort = 0;
let count = 0;

beforeAll(async () => {
  if (skipped !== undefined) return;
  certs(at('certs'), ['gateway', 'studio-1']);
  writeFileSync(at('token'), TOKEN);
  writeFileSync(at('wrong-token'), 'an-other-one');
  const text = readFileSync('test/unit/fixtures/macmon.txt', 'utf8');
  macmonPort = await listening(
    createHttp((request, response) => {
      response.writeHead(request.url === '/metrics' ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    }),
  );
  const path = stubsIn(at('bin'), { sysctl: 'echo 4', notifyutil: 'echo "com.apple.system.thermalpressurelevel 2"', pmset: 'exit 1' });
  // As launchd does it: the script's stdin and stdout are the connection.
  pressurePort = await listening(
    createServer((socket) => {
      const child = spawn('sh', ['templates/macos/pressure.sh'], { env: { PATH: `${path}:/usr/bin:/bin` }, stdio: ['pipe', 'pipe', 'ignore'] });
      socket.on('error', () => child.kill());
      child.stdin.on('error', () => undefined);
      socket.pipe(child.stdin);
      child.stdout.pipe(socket);
    }),
  );
});
afterAll(() => {
  stopAll();
  for (const server of servers) server.close();
  rmSync(work, { recursive: true, force: true });
});

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A Mac with an installed bundle: the path of its configuration. */
function mac(port: number, over: Partial<BundleFlags> = {}): string {
  const flags = { host: ['studio-1'], endpoint: `localhost:${port}`, interval: '1s', out: at(`out-${++count}`), ...over };
  const request = requestOf(flags);
  writeBundles(request, request.out);
  const bundle = join(request.out, 'studio-1');
  const home = at(`home-${count}`);
  for (const dir of ['etc', 'var/queue']) mkdirSync(join(home, dir), { recursive: true });
  for (const name of ['token', 'tls']) if (existsSync(join(bundle, name))) cpSync(join(bundle, name), join(home, 'etc', name), { recursive: true });
  const text = readFileSync(join(bundle, 'config.yaml'), 'utf8').replaceAll(HOME, home);
  const local = text.replaceAll('127.0.0.1:9450', `127.0.0.1:${macmonPort}`).replaceAll('127.0.0.1:9451', `127.0.0.1:${pressurePort}`);
  const path = join(home, 'etc', 'config.yaml');
  writeFileSync(path, local);
  return path;
}

const collector = (config: string): Running => start(otelcol ?? '', [`--config=${config}`]);

interface Gateway extends Running {
  file: string;
}

/** A gateway that asks who is there, and writes what it gets into a file. */
function gateway(port: number, access: 'mtls' | 'token', exporters: Record<string, object> = {}): Gateway {
  const dir = at(`gateway-${++count}`);
  mkdirSync(dir);
  const file = join(dir, 'metrics.json');
  const own = { cert_file: at('certs/gateway/tls.crt'), key_file: at('certs/gateway/tls.key') };
  const grpc = access === 'mtls' ? { tls: { ...own, client_ca_file: at('certs/ca.crt') } } : { tls: own, auth: { authenticator: 'bearertokenauth' } };
  const config = {
    receivers: { otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${port}`, ...grpc } } } },
    exporters: { file: { path: file, flush_interval: '200ms' }, ...exporters },
    extensions: { bearertokenauth: { token: TOKEN } },
    service: {
      extensions: ['bearertokenauth'],
      telemetry: { metrics: { level: 'none' } },
      pipelines: { metrics: { receivers: ['otlp'], exporters: ['file', ...Object.keys(exporters)] } },
    },
  };
  writeFileSync(join(dir, 'config.yaml'), stringify(config));
  return { ...collector(join(dir, 'config.yaml')), file };
}

interface Point {
  name: string;
  unit: string;
  value: number;
  nanos: bigint;
  resource: Record<string, string>;
  attributes: Record<string, string>;
}
interface Attribute {
  key: string;
  value: { stringValue?: string };
}
interface Payload {
  resourceMetrics: {
    resource: { attributes: Attribute[] };
    scopeMetrics: { metrics: { name: string; unit?: string; [kind: string]: unknown }[] }[];
  }[];
}

const mapOf = (list: Attribute[] = []): Record<string, string> => Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue ?? '']));

/** Every data point in the file so far. */
function points(file: string): Point[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines
    .flatMap((line) => (JSON.parse(line) as Payload).resourceMetrics)
    .flatMap(({ resource, scopeMetrics }) => {
      const of = mapOf(resource.attributes);
      return scopeMetrics
        .flatMap(({ metrics }) => metrics)
        .flatMap((metric) => {
          const data = (metric['gauge'] ?? metric['sum']) as {
            dataPoints: { asDouble?: number; asInt?: string; timeUnixNano: string; attributes?: Attribute[] }[];
          };
          return data.dataPoints.map(({ asDouble, asInt, timeUnixNano, attributes }) => ({
            name: metric.name,
            unit: metric.unit ?? '',
            value: asDouble ?? Number(asInt),
            nanos: BigInt(timeUnixNano),
            resource: of,
            attributes: mapOf(attributes),
          }));
        });
    });
}

const WANTED = ['macos.cpu.temperature', 'macos.power.consumption', 'macos.memory.pressure', 'macos.thermal.throttling', 'system.memory.usage'];
const arrived = (file: string): Point[] | undefined => {
  const all = points(file);
  return WANTED.every((name) => all.some((point) => point.name === name)) ? all : undefined;
};

describe.skipIf(skipped !== undefined)(`the collector of a Mac${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  it.each<[string, () => Partial<BundleFlags>]>([
    ['mutual TLS', () => ({ mtls: at('certs') })],
    ['a token', () => ({ tokenFile: at('token'), ca: at('certs/ca.crt') })],
    ['a token and an authority that the Mac knows', () => ({ tokenFile: at('token') })],
    ['nothing', () => ({})],
  ])('takes its configuration with %s', (_name, over) => {
    expect(() => execFileSync(otelcol ?? '', ['validate', `--config=${mac(4317, over())}`], { stdio: 'pipe' })).not.toThrow();
  });

  it('sends what macmon, the script and the host say, under its name, with mutual TLS', async () => {
    const port = await freePort();
    const there = gateway(port, 'mtls');
    const here = collector(mac(port, { mtls: at('certs') }));
    const all = await until(
      () => arrived(there.file),
      () => `${here.said()}\n${there.said()}`,
    );
    const one = (name: string): Point | undefined => all.find((point) => point.name === name);
    expect(one('macos.cpu.temperature')).toMatchObject({ unit: 'Cel', value: 52.318077, attributes: { chip: 'Apple M3 Ultra' } });
    expect(one('macos.power.consumption')).toMatchObject({ unit: 'W', value: 61.40625 });
    expect(one('macos.memory.pressure')).toMatchObject({ unit: '', value: 4 });
    expect(one('macos.thermal.throttling')).toMatchObject({ unit: '', value: 2 });
    const sources = all.filter((point) => point.name === 'macos.source.up');
    expect([...new Set(sources.map((point) => `${point.attributes['source']} ${point.value}`))].toSorted()).toEqual(['macmon 1', 'pressure 1']);
    const identity = {
      'host.name': 'studio-1',
      'service.instance.id': 'studio-1',
      'service.name': 'macos-host',
      'os.type': 'darwin',
      'genai_obs.reporter': 'macos',
    };
    for (const { name, resource } of all) expect(resource, name).toEqual(identity);
    expect(all.filter(({ name }) => name === 'up' || name.startsWith('scrape_') || name.endsWith('_usage_ratio')).map(({ name }) => name)).toEqual([]);
    await Promise.all([here.stop(), there.stop()]);
  });

  it('is let in with the right token alone', async () => {
    const port = await freePort();
    const there = gateway(port, 'token');
    const ca = at('certs/ca.crt');
    const stranger = collector(mac(port, { tokenFile: at('wrong-token'), ca }));
    await until(
      () => (/Unauthenticated/.test(stranger.said()) ? true : undefined),
      () => `${stranger.said()}\n${there.said()}`,
    );
    expect(points(there.file)).toEqual([]);
    await stranger.stop('SIGKILL');
    const here = collector(mac(port, { tokenFile: at('token'), ca }));
    await until(
      () => arrived(there.file),
      () => `${here.said()}\n${there.said()}`,
    );
    for (const one of [stranger, here]) expect(one.said()).not.toMatch(new RegExp(`${TOKEN}|an-other-one`));
    await Promise.all([here.stop(), there.stop()]);
  });

  it('keeps on disk what it read while the gateway was away, over a restart and without repeating it', async () => {
    const port = await freePort();
    const config = mac(port, { mtls: at('certs') });
    const before = collector(config);
    await until(() => (/Exporting failed/i.test(before.said()) ? true : undefined), before.said);
    // Some readings more.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await before.stop('SIGKILL');
    const restart = BigInt(Date.now()) * 1_000_000n;
    const there = gateway(port, 'mtls');
    const here = collector(config);
    // Of the host: the receiver of Prometheus takes five seconds to find its targets.
    const loads = await until(
      () => {
        const all = points(there.file).filter((point) => point.name === 'system.cpu.load_average.1m');
        return all.some(({ nanos }) => nanos > restart) ? all : undefined;
      },
      () => `${here.said()}\n${there.said()}`,
    );
    expect(loads.filter(({ nanos }) => nanos < restart).length).toBeGreaterThanOrEqual(2);
    const times = loads.map(({ nanos }) => nanos);
    expect(new Set(times).size).toBe(times.length);
    await Promise.all([here.stop(), there.stop()]);
  }, 90_000);
});

const noStore = skipped ?? (prometheus === undefined ? 'the test bed has built no prometheus' : undefined);

describe.skipIf(noStore !== undefined)(`Prometheus${noStore ? ` (skipped: ${noStore})` : ''}`, () => {
  it('has the series of the document, an answer for every panel, and rules that hold', async () => {
    const [grpc, web] = [await freePort(), await freePort()];
    const dir = at('prometheus');
    mkdirSync(dir);
    writeFileSync(join(dir, 'macos.yaml'), ruleFiles(quickstart({ macos: { enabled: true } }))['macos.yaml'] ?? '');
    const { otlp, storage } = yamlAsset('templates', 'prometheus', 'config.yaml');
    writeFileSync(join(dir, 'prometheus.yaml'), stringify({ global: { evaluation_interval: '1s' }, otlp, storage, rule_files: ['macos.yaml'] }));
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
      return data.result.length ? data.result.map(({ metric, value }) => `${metric['job']} ${metric['host_name']} ${value[1]}`) : undefined;
    };
    // Row 004-T-04.
    expect(await until(() => values('macos_cpu_temperature_celsius'), said)).toEqual(['macos-host studio-1 52.318077']);
    expect(await until(() => values('macos_power_consumption_watts'), said)).toEqual(['macos-host studio-1 61.40625']);
    expect(await until(() => values('macos_memory_pressure'), said)).toEqual(['macos-host studio-1 4']);
    expect(await until(() => values('macos_thermal_throttling'), said)).toEqual(['macos-host studio-1 2']);

    // Row 004-P5-05.
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

    // A Mac that was last heard of a quarter of an hour ago.
    const point = { asDouble: 1, timeUnixNano: `${Date.now() - 900_000}000000`, attributes: [{ key: 'source', value: { stringValue: 'macmon' } }] };
    const resource = {
      attributes: [
        { key: 'host.name', value: { stringValue: 'asleep' } },
        { key: 'service.name', value: { stringValue: 'macos-host' } },
      ],
    };
    const body = { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [{ name: 'macos.source.up', gauge: { dataPoints: [point] } }] }] }] };
    const pushed = await fetch(`${url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(pushed.status).toBe(200);
    const firing = await until(async () => {
      const { data } = (await get('/api/v1/rules')) as {
        data: { groups: { rules: { name: string; health: string; lastError?: string; state: string; alerts: { labels: Record<string, string> }[] }[] }[] };
      };
      const rules = data.groups.flatMap((group) => group.rules);
      expect(rules.filter(({ lastError }) => lastError)).toEqual([]);
      const states = rules.map(({ name, state, alerts }) => `${name} ${state} ${alerts.map(({ labels }) => labels['host_name']).join()}`.trim());
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

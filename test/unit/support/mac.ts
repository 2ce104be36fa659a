import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { HOME, writeBundles } from '../../../src/macos/bundle.ts';
import { type BundleFlags, requestOf } from '../../../src/macos/request.ts';
import { listen } from '../../support/server.ts';
import { certs, noCerts } from './certs.ts';
import { type Running, bedProgram, start, stopAll, stubsIn } from './programs.ts';

// Runs the configuration of the Mac's collector with the test bed's collector for Linux; only paths and ports differ.
export const otelcol = bedProgram('otelcol');
export const prometheus = bedProgram('prometheus');
/** Why tests cannot run a collector; undefined if they can. */
export const skipped = otelcol === undefined ? 'otelcol is not built for the bed' : noCerts;

const work = mkdtempSync(join(tmpdir(), 'genai-obs-mac-'));
export const at = (...parts: string[]): string => join(work, ...parts);
export const TOKEN = 'c2VjcmV0LXRva2Vu';
const servers: { close: () => void }[] = [];
let macmonPort = 0;
let pressurePort = 0;
let count = 0;

/** Prepares certificates, tokens, a fake macmon and the pressure script of a Mac; call it from beforeAll. */
export async function setUp(): Promise<void> {
  if (skipped !== undefined) return;
  certs(at('certs'), ['gateway', 'studio-1']);
  writeFileSync(at('token'), TOKEN);
  writeFileSync(at('wrong-token'), 'an-other-one');
  const text = readFileSync('test/unit/fixtures/macmon.txt', 'utf8');
  macmonPort = await listening(
    createHttp((request, response) => {
      response
        .writeHead(request.url === '/metrics' ? 200 : 404, {
          'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        })
        .end(text);
    }),
  );
  const path = stubsIn(at('bin'), {
    sysctl: 'echo 4',
    notifyutil: 'echo "com.apple.system.thermalpressurelevel 2"',
    pmset: 'exit 1',
  });
  // Like launchd, connects the script's stdin and stdout to the socket.
  pressurePort = await listening(
    createServer((socket) => {
      const child = spawn('sh', ['templates/macos/pressure.sh'], {
        env: { PATH: `${path}:/usr/bin:/bin` },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      socket.on('error', () => child.kill());
      child.stdin.on('error', () => undefined);
      socket.pipe(child.stdin);
      child.stdout.pipe(socket);
    }),
  );
}

export function tearDown(): void {
  stopAll();
  for (const server of servers) server.close();
  rmSync(work, { recursive: true, force: true });
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  servers.push(server);
  return (await listen(server)).port;
}

/** Installs a bundle as on a Mac. @returns the path of its configuration */
export function mac(port: number, over: Partial<BundleFlags> = {}): string {
  const flags = {
    host: ['studio-1'],
    endpoint: `localhost:${port}`,
    interval: '1s',
    out: at(`out-${++count}`),
    ...over,
  };
  const request = requestOf(flags);
  writeBundles(request, request.out);
  const bundle = join(request.out, 'studio-1');
  const home = at(`home-${count}`);
  for (const dir of ['etc', 'var/queue']) mkdirSync(join(home, dir), { recursive: true });
  for (const name of ['token', 'tls'])
    if (existsSync(join(bundle, name))) cpSync(join(bundle, name), join(home, 'etc', name), { recursive: true });
  const text = readFileSync(join(bundle, 'config.yaml'), 'utf8').replaceAll(HOME, home);
  const local = text
    .replaceAll('127.0.0.1:9450', `127.0.0.1:${macmonPort}`)
    .replaceAll('127.0.0.1:9451', `127.0.0.1:${pressurePort}`);
  const path = join(home, 'etc', 'config.yaml');
  writeFileSync(path, local);
  return path;
}

export const collector = (config: string): Running => start(otelcol ?? '', [`--config=${config}`]);

interface Gateway extends Running {
  file: string;
}

/** A gateway that requires authentication and writes received metrics to a file. */
export function gateway(port: number, access: 'mtls' | 'token', exporters: Record<string, object> = {}): Gateway {
  const dir = at(`gateway-${++count}`);
  mkdirSync(dir);
  const file = join(dir, 'metrics.json');
  const own = { cert_file: at('certs/gateway/tls.crt'), key_file: at('certs/gateway/tls.key') };
  const grpc =
    access === 'mtls'
      ? { tls: { ...own, client_ca_file: at('certs/ca.crt') } }
      : { tls: own, auth: { authenticator: 'bearertokenauth' } };
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

export interface Point {
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

const mapOf = (list: Attribute[] = []): Record<string, string> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue ?? '']));

/** All data points in the file so far. */
export function points(file: string): Point[] {
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

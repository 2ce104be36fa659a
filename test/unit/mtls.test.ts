import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { mapAt } from '../../src/core/json.ts';
import { COMPONENTS } from '../../src/components/index.ts';
import { certificates } from '../../src/parts/collectors/mtls.ts';
import { yamlAsset } from '../../src/core/assets.ts';
import { ObsError } from '../../src/core/errors.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { extended, profileLayer } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import type { ComponentId, Config } from '../../src/profile/schema.ts';
import { certs, noCerts } from './support/certs.ts';
import { quickstart } from './support/config.ts';
import { bedProgram, start, stopAll, until } from './support/programs.ts';

const MTLS = { 'cert-manager': { existing: true }, security: { mtls: { enabled: true } } };
const k3s = (name: string, over: JsonMap = {}): Config =>
  resolve([...extended(profileLayer(name)), { source: 'test', data: over }]);

function configured(id: ComponentId, config: Config): JsonMap {
  const component = COMPONENTS.find((one) => one.id === id);
  return component?.configure(yamlAsset('templates', id, 'config.yaml'), config) ?? {};
}

const objectsOf = (config: Config): KubeObject[] =>
  buildPlan(config).flatMap((step) => (step.kind === 'objects' ? step.objects : []));
const find = (config: Config, kind: string, name: string): KubeObject | undefined =>
  objectsOf(config).find((object) => object.kind === kind && object.metadata.name === name);

describe('contradictory settings are refused', () => {
  it.each<[string, JsonMap, RegExp]>([
    ['mutual TLS without cert-manager', { security: { mtls: { enabled: true } } }, /requires cert-manager/],
    [
      'collectors in several namespaces',
      { ...MTLS, 'opentelemetry-node-collector': { namespace: 'other' } },
      /one namespace/,
    ],
    [
      'an Ingress to the port that mode strict closes',
      {
        'cert-manager': { existing: true },
        'opentelemetry-collector': { ingress: { host: 'otlp.example.com' } },
        security: { mtls: { enabled: true, mode: 'strict' } },
      },
      /plain OTLP/,
    ],
    ['a token in the clear', { security: { ingest: { tokenSecret: 'token' } } }, /without TLS/],
    [
      'a Service without authentication',
      { 'opentelemetry-collector': { expose: { type: 'LoadBalancer' } } },
      /anyone send/,
    ],
    [
      'ports of nodes that nobody opens',
      { 'opentelemetry-collector': { expose: { nodePorts: { grpc: 30417 } } } },
      /no effect/,
    ],
  ])('%s', (_name, over, message) => {
    expect(() => quickstart(over)).toThrow(message);
    expect(() => quickstart(over)).toThrow(ObsError);
  });

  it('a token over TLS is accepted', () => {
    const over = {
      'opentelemetry-collector': { expose: { type: 'NodePort' } },
      security: { ingest: { tokenSecret: 'token', tlsSecret: 'cert' } },
    };
    expect(quickstart(over)['opentelemetry-collector'].expose.type).toBe('NodePort');
  });
});

describe('certificates', () => {
  const config = k3s('k3s-macos', { security: { mtls: { names: ['k3s.example', '192.0.2.7'] } } });
  const spec = (name: string): JsonMap =>
    (certificates(config).find((one) => one.kind === 'Certificate' && one.metadata.name === name)?.['spec'] ??
      {}) as JsonMap;

  it('none without mutual TLS', () => {
    expect(certificates(quickstart())).toEqual([]);
    expect(buildPlan(quickstart()).map((step) => step.id)).not.toContain('certificates');
  });

  it('one for each collector and each external sender, issued by one CA', () => {
    const made = certificates(config).filter((one) => one.kind === 'Certificate');
    expect(made.map((one) => one.metadata.name)).toEqual([
      'genai-obs-ca',
      'otel-gateway-tls',
      'otel-node-tls',
      'otel-cluster-tls',
      'otel-client-macos',
    ]);
    expect(made.slice(1).map((one) => (one['spec'] as JsonMap)['issuerRef'])).toEqual(
      made.slice(1).map(() => ({ name: 'genai-obs-ca', kind: 'Issuer' })),
    );
    // By these labels uninstall finds the Secrets of cert-manager.
    for (const one of made)
      expect(mapAt(one['spec'] as JsonMap, 'secretTemplate', 'labels')).toMatchObject({
        'app.kubernetes.io/managed-by': 'genai-obs',
      });
  });

  it('the gateway’s has every name at which senders reach it', () => {
    expect(spec('otel-gateway-tls')).toMatchObject({
      usages: ['server auth', 'client auth'],
      ipAddresses: ['192.0.2.7'],
    });
    const names = spec('otel-gateway-tls')['dnsNames'];
    for (const name of [
      'otel-gateway-collector',
      'otel-gateway-collector.observability.svc',
      'otel-ingest.observability.svc.cluster.local',
      'k3s.example',
    ])
      expect(names).toContain(name);
    expect(names).not.toContain('192.0.2.7');
    const { tls, endpoint } = mapAt(
      find(config, 'OpenTelemetryCollector', 'otel-node')?.['spec'],
      'config',
      'exporters',
      'otlp_grpc',
    );
    expect(endpoint).toBe('otel-gateway-collector:4319');
    expect(tls).not.toHaveProperty('insecure');
  });

  it('are created after cert-manager and before the collectors that mount them', () => {
    const step = (id: string) => buildPlan(config).find((one) => one.id === id)?.needs;
    expect(step('certificates')).toContain('webhook/cert-manager');
    // Its chart also contains certificates.
    expect(step('release/opentelemetry-operator')).toContain('webhook/cert-manager');
    for (const id of ['resource/otel-gateway', 'resource/otel-node', 'resource/otel-cluster'])
      expect(step(id)).toContain('certificates');
    for (const [name, secret] of [
      ['otel-gateway', 'otel-gateway-tls'],
      ['otel-node', 'otel-node-tls'],
      ['otel-cluster', 'otel-cluster-tls'],
    ] as const)
      expect(JSON.stringify(find(config, 'OpenTelemetryCollector', name))).toContain(`{"secretName":"${secret}"}`);
  });
});

describe('the Service for external senders', () => {
  it('maps the standard OTLP ports to the authenticated ports, which the NetworkPolicy allows', () => {
    const config = k3s('k3s-macos');
    const { spec } = find(config, 'Service', 'otel-ingest') as KubeObject & {
      spec: { type: string; ports: { port: number; targetPort: number }[] };
    };
    expect(spec.type).toBe('LoadBalancer');
    expect(spec.ports.map(({ port, targetPort }) => [port, targetPort])).toEqual([
      [4317, 4319],
      [4318, 4320],
    ]);
    const policy = JSON.stringify(find(config, 'NetworkPolicy', 'otel-gateway-collector'));
    for (const port of [4317, 4318, 4319, 4320]) expect(policy).toContain(`"port":${port},`);
  });

  it('is deleted when it is disabled', () => {
    const removal = buildPlan(k3s('k3s')).find((step) => step.id === 'removal/otel-ingest');
    expect(removal).toMatchObject({
      kind: 'removal',
      objects: [{ kind: 'Service', namespace: 'observability', name: 'otel-ingest' }],
    });
    expect(find(k3s('k3s'), 'Service', 'otel-ingest')).toBeUndefined();
  });

  it('refuses plain OTLP in mode strict, except from its own pod', () => {
    const config = quickstart({ ...MTLS, security: { mtls: { enabled: true, mode: 'strict' } } });
    const receivers = mapAt(configured('opentelemetry-collector', config), 'receivers');
    expect(mapAt(receivers, 'otlp', 'protocols', 'grpc')['endpoint']).toBe('127.0.0.1:4317');
    expect(mapAt(receivers, 'otlp/mtls', 'protocols', 'grpc')['endpoint']).toBe('0.0.0.0:4319');
    const policy = JSON.stringify(
      find(k3s('k3s-macos', { security: { mtls: { mode: 'strict' } } }), 'NetworkPolicy', 'otel-gateway-collector'),
    );
    expect(policy).not.toContain('"port":4317,');
  });
});

it('in mode strict every receiver that other pods reach requires a certificate', () => {
  const config = quickstart({
    ...MTLS,
    genai: { sampling: { mode: 'tail' } },
    security: { mtls: { enabled: true, mode: 'strict' } },
  });
  const receivers = Object.entries(mapAt(configured('opentelemetry-collector', config), 'receivers'));
  expect(receivers.map(([name]) => name).toSorted()).toEqual(['otlp', 'otlp/mtls', 'otlp/sampling']);
  for (const [name, receiver] of receivers)
    for (const protocol of Object.values(mapAt(receiver, 'protocols')) as {
      endpoint: string;
      tls?: { client_ca_file?: string };
    }[])
      expect(protocol.endpoint.startsWith('127.0.0.1:') || protocol.tls?.client_ca_file !== undefined, name).toBe(true);
  expect(
    mapAt(configured('opentelemetry-collector', config), 'exporters', 'loadbalancing', 'protocol', 'otlp', 'tls'),
  ).not.toHaveProperty('insecure');
});

const otelcol = bedProgram('otelcol');
const skipped = noCerts ?? (otelcol ? undefined : 'no collector of the test bed');

describe.skipIf(skipped !== undefined)(`the collector${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-mtls-'));
  const at = (name: string): string => join(dir, name);
  beforeAll(() => {
    certs(dir, ['gateway', 'client']);
    writeFileSync(at('gateway/token'), 'a-token');
  });
  afterAll(() => {
    stopAll();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Contains what the pods would mount. */
  const written = (name: string, config: JsonMap, folder: string): string => {
    const path = at(`${name}.yaml`);
    const text = stringify(config).replaceAll(/\/etc\/genai-obs\/(tls|ingest-tls|token)/g, at(folder));
    writeFileSync(
      path,
      text
        .replaceAll('auth_type: serviceAccount', 'auth_type: none')
        .replaceAll('/hostfs', '/')
        .replaceAll('/var/lib/otelcol', dir),
    );
    return path;
  };
  const strict = (over: JsonMap = {}): Config =>
    quickstart({
      ...MTLS,
      genai: { sampling: { mode: 'tail' } },
      security: { mtls: { enabled: true, mode: 'strict' }, ingest: over },
    });

  it.each(['opentelemetry-collector', 'opentelemetry-node-collector', 'opentelemetry-cluster-collector'] as const)(
    'takes the configuration of %s',
    (id) => {
      const config = strict({ tokenSecret: 'token' });
      const path = written(id, configured(id, config), 'gateway');
      const env = {
        ...process.env,
        K8S_NODE_NAME: 'n',
        K8S_NODE_IP: '127.0.0.1',
        NAMESPACE: 'n',
        CLUSTER_NAME: 'c',
        ENVIRONMENT: 'e',
      };
      expect(() => execFileSync(otelcol ?? '', ['validate', `--config=${path}`], { stdio: 'pipe', env })).not.toThrow();
    },
  );

  it('accepts only senders with a certificate, over gRPC and HTTP', async () => {
    const [grpc, http, plain, inner] = [await getPort(), await getPort(), await getPort(), await getPort()];
    const config = strict();
    const ports = (text: JsonMap): JsonMap =>
      JSON.parse(
        JSON.stringify(text)
          .replaceAll('0.0.0.0:4319', `127.0.0.1:${grpc}`)
          .replaceAll('0.0.0.0:4320', `127.0.0.1:${http}`)
          .replaceAll('opentelemetry-collector:4319', `localhost:${grpc}`),
      ) as JsonMap;
    const telemetry = { telemetry: { metrics: { level: 'none' } } };
    const { 'otlp/mtls': receiver } = mapAt(ports(configured('opentelemetry-collector', config)), 'receivers');
    const gateway = start(otelcol ?? '', [
      `--config=${written(
        'live-gateway',
        {
          receivers: { 'otlp/mtls': receiver ?? null },
          exporters: { file: { path: at('got.json'), flush_interval: '100ms' } },
          service: { ...telemetry, pipelines: { logs: { receivers: ['otlp/mtls'], exporters: ['file'] } } },
        },
        'gateway',
      )}`,
    ]);
    const { otlp_grpc } = mapAt(ports(configured('opentelemetry-node-collector', config)), 'exporters');
    const protocols = { http: { endpoint: `127.0.0.1:${plain}` }, grpc: { endpoint: `127.0.0.1:${inner}` } };
    const node = start(otelcol ?? '', [
      `--config=${written(
        'live-node',
        {
          receivers: { otlp: { protocols } },
          exporters: { otlp_grpc: otlp_grpc ?? null },
          service: { ...telemetry, pipelines: { logs: { receivers: ['otlp'], exporters: ['otlp_grpc'] } } },
        },
        'client',
      )}`,
    ]);
    const log = (text: string): string =>
      JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: text } }] }] }] });
    const ca = readFileSync(at('ca.crt'));
    const client = { cert: readFileSync(at('client/tls.crt')), key: readFileSync(at('client/tls.key')) };
    const post = (own: { cert?: Buffer; key?: Buffer }, text: string): Promise<number | string> =>
      new Promise((settle) => {
        const call = request(
          {
            host: 'localhost',
            port: http,
            path: '/v1/logs',
            method: 'POST',
            ca,
            ...own,
            headers: { 'content-type': 'application/json' },
          },
          (answer) => settle(answer.resume().statusCode ?? 0),
        );
        call.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
        call.end(log(text));
      });
    const about = (): string => `${gateway.said()}\n${node.said()}`;
    await until(async () => ((await post(client, 'by-http')) === 200 ? true : undefined), about);
    expect(await post({}, 'by-nobody')).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET|EPIPE/);
    await until(
      () =>
        fetch(`http://127.0.0.1:${plain}/v1/logs`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: log('by-grpc'),
        }).then(
          (answer) => (answer.ok ? true : undefined),
          () => undefined,
        ),
      about,
    );
    const got = await until(() => {
      const text = readFileSync(at('got.json'), 'utf8');
      return text.includes('by-grpc') ? text : undefined;
    }, about);
    expect(got).toContain('by-http');
    expect(got).not.toContain('by-nobody');
    await Promise.all([gateway.stop(), node.stop()]);
  }, 60_000);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { COMPONENT_IDS } from '../../../src/profile/schema.ts';
import { standIn } from '../../support/cloud.ts';
import {
  IMAGE,
  NO_IMAGE,
  type Server,
  deafWebhook,
  definition,
  idle,
  list,
  mute,
  serve,
  standInMirror,
} from '../support/charts.ts';
import { cli, cliOk, footprint, get, kubectl, leaveNothing, onInterrupt, removeAll, run } from '../support/cluster.ts';
import { appliedBy, pending } from '../support/install.ts';
import { errorOf, expectNoCrash, refuses } from '../support/refusal.ts';
import { FOREIGN, alone, definitions, forget, foreign } from '../support/definitions.ts';

/** Upstream's charts and what comes with them, broken: with stand-ins of our own, so that no archive of upstream is needed. */

const NS = 'it-chart';
const GUEST = 'it-chart-guest';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-charts-'));
const LOKI = 'loki-18.11.0.tgz';
const COLLECTORS = 'opentelemetrycollectors.opentelemetry.io';
const collectorsCrd = (versions: string[], metadata = {}) =>
  definition(COLLECTORS, 'OpenTelemetryCollector', versions, metadata);

const ENV = { GENAI_OBS_CACHE: join(DIR, 'cache') };

/** Nothing but what a case needs. */
function config(name: string, parts: object): string {
  const path = join(DIR, `${name}.yaml`);
  const off = Object.fromEntries(COMPONENT_IDS.map((id) => [id, { enabled: false }]));
  writeFileSync(
    path,
    JSON.stringify({ profile: 'quickstart', namespace: NS, storage: { enabled: false }, ...off, ...parts }),
  );
  return path;
}
const WITH_LOKI = config('loki', { loki: { enabled: true, chart: 'loki' } });
const WITH_OPERATOR = config('operator', { 'opentelemetry-operator': { enabled: true } });
/** The gateway needs somebody to send to. */
const WITH_GATEWAY = config('gateway', {
  loki: { enabled: true, chart: 'loki' },
  'opentelemetry-collector': { enabled: true, chart: 'opentelemetry-operator', replicaCount: 1 },
});
const WITH_CERTIFICATES = config('certificates', { 'cert-manager': { enabled: true } });

const INSTALL = ['install', '--yes', '--skip', 'verify'];
const install = (file: string, charts: string, timeout = 15): string[] => [
  ...INSTALL,
  '-f',
  file,
  '--charts',
  charts,
  '--timeout',
  String(timeout),
];

const mirror = standInMirror(join(DIR, 'mirror'));
const servers: Server[] = [];
async function http(...args: Parameters<typeof serve>): Promise<Server> {
  const server = await serve(...args);
  servers.push(server);
  return server;
}

/** After a case that went well there is nothing to do. */
async function clean(): Promise<void> {
  const there = (await kubectl(['get', 'namespace', GUEST, NS, '--ignore-not-found', '-o', 'name'])).split('\n');
  if (there.includes(`namespace/${GUEST}`))
    await run('kubectl', ['delete', 'namespace', GUEST, '--wait', '--timeout=60s']);
  if (there.includes(`namespace/${NS}`)) await removeAll(NS);
  forget(NS);
}

/** The usual uninstall, and the proof that nothing is left of it. */
async function uninstalled(): Promise<string> {
  const { stderr } = await cliOk(['uninstall', '--namespace', NS, '--delete-data', '--yes', '--timeout', '60']);
  expect((await footprint(NS)).filter((line) => !line.includes(GUEST))).toEqual([]);
  return stderr;
}

beforeAll(async () => {
  onInterrupt(() => forget(NS));
  leaveNothing(NS);
  await clean();
  await mirror.put('loki', [idle('StatefulSet', 'loki')]);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await clean();
  rmSync(DIR, { recursive: true, force: true });
});

describe('a chart that cannot be had is told before anything is changed', () => {
  it.each([
    ['a mirror that has trouble', () => 500, 'mirror.json', 'HTTP 500'],
    [
      'a mirror that lacks the archive',
      (path: string) => (path.endsWith('.tgz') ? 404 : 200),
      `charts/${LOKI}`,
      'HTTP 404',
    ],
  ])('%s', async (_name, status, path, why) => {
    const { url } = await http(mirror.folder, status);
    const { what, on, cause, next } = await refuses(NS, install(WITH_LOKI, url), 1, ENV);
    expect(what).toBe('the chart mirror does not answer as it should');
    expect(on).toBe(`${url}/${path}`);
    expect(cause).toBe(why);
    expect(next).toContain('--charts DIR');
  });

  it('a mirror that nobody serves', async () => {
    const { url, close } = await serve(mirror.folder);
    await close();
    const { on, cause, next } = await refuses(NS, install(WITH_LOKI, url), 1, ENV);
    expect(on).toBe(`${url}/mirror.json`);
    expect(cause).toContain('ECONNREFUSED');
    expect(next).toContain(`curl -fsSI ${url}/mirror.json`);
  });

  it.each(['folder', 'http'])('an archive with another digest than the mirror lists, by %s', async (way) => {
    list(mirror.folder, { [LOKI]: '0'.repeat(64) });
    try {
      const source = way === 'http' ? (await http(mirror.folder)).url : mirror.folder;
      const { what, on, cause, next } = await refuses(NS, install(WITH_LOKI, source), 1, ENV);
      expect(what).toBe('a chart is not the one that was pinned');
      expect(on).toContain(LOKI);
      expect(cause).toMatch(/^its sha256 is [0-9a-f]{64}, expected 0{64}/);
      expect(next).toContain('genai-obs mirror');
    } finally {
      list(mirror.folder);
    }
  });

  it('a folder without the archive', async () => {
    const empty = standInMirror(join(DIR, 'empty')).folder;
    const { what, on, next } = await refuses(NS, install(WITH_LOKI, empty), 1, ENV);
    expect(what).toBe('a chart is missing');
    expect(on).toBe(`${LOKI} in ${empty}`);
    expect(next).toContain('genai-obs mirror --out DIR');
  });
});

describe('a missing image', () => {
  afterAll(clean);

  it('is named with its pod; with a mended chart the same install carries on', async () => {
    const { url } = await http(mirror.folder);
    const args = install(WITH_LOKI, url, 10);
    await mirror.put('loki', [idle('StatefulSet', 'loki', NO_IMAGE)]);
    const failed = await cli(args, ENV);
    expect(failed.code, failed.stdout + failed.stderr).toBe(1);
    expectNoCrash(failed);
    const { what, on, cause, next } = errorOf(failed);
    expect(what).toBe('a workload did not become ready within 10 s');
    expect(on).toBe(`StatefulSet ${NS}/loki`);
    expect(cause).toContain(`the image ${NO_IMAGE} of loki-0 cannot be pulled`);
    expect(next).toContain('run install again: it resumes');
    expect(await pending(NS)).toEqual([]);

    await mirror.put('loki', [idle('StatefulSet', 'loki', IMAGE)]);
    expect(appliedBy(await cliOk([...args, '--json'], ENV))).toEqual(['release/loki']);
    expect(appliedBy(await cliOk([...args, '--json'], ENV))).toEqual([]);
    await uninstalled();
  });
});

describe('an operator, its webhook and its definitions', () => {
  const crd = collectorsCrd(['v1beta1']);
  const operator = idle('Deployment', 'opentelemetry-operator');
  beforeEach((context) => alone(context));
  afterEach(clean);

  it('a webhook that never serves is named, nothing that needs it is begun, and without it the same install carries on', async () => {
    const args = install(WITH_GATEWAY, mirror.folder, 10);
    await mirror.put('loki', [idle('StatefulSet', 'loki')]);
    await mirror.put(
      'opentelemetry-operator',
      [operator, ...deafWebhook(NS, NS, 'opentelemetry.io', 'opentelemetrycollectors')],
      [crd],
    );
    const failed = await cli(args, ENV);
    expect(failed.code, failed.stdout + failed.stderr).toBe(1);
    expectNoCrash(failed);
    const { what, on, cause, next } = errorOf(failed);
    expect(what).toBe('a webhook does not serve after 10 s');
    expect(on).toBe(
      `ValidatingWebhookConfiguration ${NS}, which calls Service ${NS}/${NS} (dry-run of OpenTelemetryCollector ${NS}/genai-obs-dry-run)`,
    );
    expect(cause).toContain(`failed calling webhook "opentelemetrycollectors.${NS}.test"`);
    expect(next).toContain(`-n ${NS} get endpointslices -l kubernetes.io/service-name=${NS}; kubectl --context`);
    expect(next).toContain(`describe validatingwebhookconfiguration ${NS}; then run the same install again`);
    await kubectl(['-n', NS, 'rollout', 'status', 'deployment/opentelemetry-operator', '--timeout=0s']);
    expect((await get(`${COLLECTORS},networkpolicies`, '-n', NS)).items).toEqual([]);

    // The stand-in makes no collectors: the Deployment that the operator would make comes with its chart.
    await mirror.put('opentelemetry-operator', [operator, idle('Deployment', 'otel-gateway-collector')], [crd]);
    await kubectl(['delete', 'validatingwebhookconfiguration', NS]);
    expect(appliedBy(await cliOk([...args, '--json'], ENV))).toEqual([
      'release/opentelemetry-operator',
      'resource/otel-gateway',
    ]);
    await uninstalled();
    expect(await definitions()).toEqual([]);
  });

  it('one that says nothing keeps the API server waiting: it is named, and not the cluster', async () => {
    const server = await mute(join(DIR, 'mute'));
    servers.push(server);
    await mirror.put('loki', [idle('StatefulSet', 'loki')]);
    await mirror.put(
      'opentelemetry-operator',
      [operator, ...deafWebhook(NS, NS, 'opentelemetry.io', 'opentelemetrycollectors', server.client)],
      [crd],
    );
    const failed = await cli(install(WITH_GATEWAY, mirror.folder, 10), ENV);
    expect(failed.code, failed.stdout + failed.stderr).toBe(1);
    expectNoCrash(failed);
    const { what, on, cause } = errorOf(failed);
    expect(what).toBe('a webhook does not serve after 10 s');
    expect(on).toBe(
      `ValidatingWebhookConfiguration ${NS}, which calls ${server.url} (dry-run of OpenTelemetryCollector ${NS}/genai-obs-dry-run)`,
    );
    expect(cause).toMatch(/no answer within \d+ s/);
  });

  it.each([
    [
      'helm release platform/otel',
      { annotations: { 'meta.helm.sh/release-name': 'otel', 'meta.helm.sh/release-namespace': 'platform' } },
    ],
    [FOREIGN, {}],
  ])('a definition that lacks a version is refused and its owner named: %s', async (owner, metadata) => {
    await mirror.put('opentelemetry-operator', [operator], [crd]);
    await foreign(collectorsCrd(['v1alpha1'], metadata));
    const before = await get(`crd/${COLLECTORS}`);
    const { what, on, cause, next } = await refuses(NS, install(WITH_OPERATOR, mirror.folder), 1, ENV);
    expect(what).toBe('a CustomResourceDefinition belongs to somebody else and is too old');
    expect(on).toBe(`CustomResourceDefinition ${COLLECTORS}`);
    expect(cause).toBe(`${owner} created it; it does not serve v1beta1, which opentelemetry-operator 0.122.0 needs`);
    expect(next).toContain('let its owner upgrade it');
    expect(await get(`crd/${COLLECTORS}`)).toEqual(before);
  });

  it('a definition of somebody else that serves what is needed is used, and stays when everything is removed', async () => {
    await mirror.put('opentelemetry-operator', [operator], [crd]);
    await foreign(collectorsCrd(['v1beta1', 'v1alpha1']));
    const before = await get(`crd/${COLLECTORS}`);
    const { stdout } = await cliOk([...install(WITH_OPERATOR, mirror.folder), '--json'], ENV);
    expect(appliedBy({ stdout })).toEqual(['namespace', 'release/opentelemetry-operator']);
    expect(stdout).toContain('1 of 1 belong to somebody else and serve the versions we need');
    await uninstalled();
    expect(await get(`crd/${COLLECTORS}`)).toEqual(before);
  });

  it('a definition of ours stays as long as somebody has objects of it', async () => {
    await mirror.put('opentelemetry-operator', [operator], [crd]);
    await cliOk(install(WITH_OPERATOR, mirror.folder), ENV);
    await kubectl(['create', 'namespace', GUEST]);
    const theirs = {
      apiVersion: 'opentelemetry.io/v1beta1',
      kind: 'OpenTelemetryCollector',
      metadata: { name: 'theirs', namespace: GUEST },
      spec: {},
    };
    await kubectl(['create', '-f', '-'], JSON.stringify(theirs));
    expect(await uninstalled()).toContain(`kept: CustomResourceDefinition ${COLLECTORS}`);
    expect(await definitions()).toEqual([COLLECTORS]);
    await kubectl(['-n', GUEST, 'get', COLLECTORS, 'theirs']);

    await kubectl(['-n', GUEST, 'delete', COLLECTORS, 'theirs']);
    await uninstalled();
    expect(await definitions()).toEqual([]);
  });
});

describe('a cert-manager that is there already', () => {
  const crds = ['Certificate', 'Issuer'].map((kind) =>
    definition(`${kind.toLowerCase()}s.cert-manager.io`, kind, ['v1']),
  );
  const theirs = (version: string) =>
    crds.map((crd) => ({ ...crd, metadata: { ...crd.metadata, labels: { 'app.kubernetes.io/version': version } } }));
  const names = crds.map(({ metadata }) => metadata.name);
  beforeAll(() =>
    mirror.put(
      'cert-manager',
      ['cert-manager', 'cert-manager-cainjector', 'cert-manager-webhook'].map((name) => idle('Deployment', name)),
      crds,
    ),
  );
  beforeEach((context) => alone(context));
  afterEach(clean);

  it('and too old is refused; upgraded by its owner, it is used, told, and left alone', async () => {
    await foreign(...theirs('v1.5.0'));
    const { what, on, cause, next } = await refuses(NS, install(WITH_CERTIFICATES, mirror.folder), 1, ENV);
    expect(what).toBe('an existing cert-manager is too old');
    expect(on).toBe('CustomResourceDefinition certificates.cert-manager.io');
    expect(cause).toContain('app.kubernetes.io/version says v1.5.0; at least v1.12.0 is needed');
    expect(next).toContain('upgrade cert-manager to v1.12.0');

    await foreign(...theirs('v1.20.0'));
    const { stdout } = await cliOk([...install(WITH_CERTIFICATES, mirror.folder), '--json'], ENV);
    expect(stdout).toContain('already in the cluster: CustomResourceDefinition certificates.cert-manager.io');
    expect((await get('deployments', '-n', NS)).items).toEqual([]);
    await uninstalled();
    expect(await definitions()).toEqual(names);
  });
});

describe('a wrong token of Grafana Cloud', () => {
  const RELEASE = 'grafana-k8s-monitoring';
  const RIGHT = 'glc_of-this-stack';
  const WRONG = 'glc_of-another-stack';
  const PROFILE = [
    '--profile',
    'grafana-cloud',
    '--namespace',
    NS,
    '--charts',
    mirror.folder,
    '--cloud-user',
    '123456',
  ];
  const withToken = (token: string): NodeJS.ProcessEnv => ({ ...ENV, GRAFANA_CLOUD_TOKEN: token });
  beforeAll(() =>
    mirror.put('k8s-monitoring', [
      ...['alloy-operator', 'kube-state-metrics', 'alloy-receiver', 'alloy-singleton'].map((name) =>
        idle('Deployment', `${RELEASE}-${name}`),
      ),
      ...['node-exporter', 'alloy-logs'].map((name) => idle('DaemonSet', `${RELEASE}-${name}`)),
      idle('StatefulSet', `${RELEASE}-alloy-metrics`),
    ]),
  );
  afterEach(clean);

  it('is refused before anything is changed; with the right one the same install carries on', async () => {
    const cloud = await standIn({ token: RIGHT });
    try {
      const args = [...INSTALL, ...PROFILE, '--cloud-url', cloud.endpoints.otlp];
      const { what, on, cause, next, run: done } = await refuses(NS, args, 1, withToken(WRONG));
      expect(what).toMatch(/CLD-01.* answers 401: user or token is refused/);
      expect(on).toBe('Secret grafana-cloud');
      expect(cause).toContain('the token is wrong, expired or of another stack');
      expect(next).toContain('export GRAFANA_CLOUD_TOKEN');
      expect(done.stdout + done.stderr).not.toContain(WRONG);
      expect(appliedBy(await cliOk([...args, '--json'], withToken(RIGHT)))).toContain('release/k8s-monitoring');
      await uninstalled();
    } finally {
      await cloud.close();
    }
  });

  it('that may not write traces is refused, and the scope named', async () => {
    const cloud = await standIn({ token: RIGHT, scopes: ['metrics:write', 'logs:write'] });
    try {
      const { what, cause, next } = await refuses(
        NS,
        [...INSTALL, ...PROFILE, '--cloud-url', cloud.endpoints.otlp],
        1,
        withToken(RIGHT),
      );
      expect(what).toMatch(/CLD-03.* answers 403: the token lacks the scope traces:write/);
      expect(cause).toContain('does not allow to write');
      expect(next).toContain('add traces:write to its policy');
    } finally {
      await cloud.close();
    }
  });
});

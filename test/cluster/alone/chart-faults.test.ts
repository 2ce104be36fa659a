import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fakeCloud } from '../../support/cloud.ts';
import {
  IMAGE,
  NO_IMAGE,
  type Server,
  fakeMirror,
  idleWorkload,
  makeCrd,
  minimalConfig,
  serve,
  silentWebhook,
  unservedWebhook,
  writeMirrorJson,
} from '../support/charts.ts';
import {
  cli,
  cliOk,
  footprint,
  get,
  kubectl,
  uninstallOnInterrupt,
  onInterrupt,
  removeAll,
  run,
} from '../support/cluster.ts';
import { appliedBy, pending } from '../support/install.ts';
import { errorOf, expectNoCrash, refuses } from '../support/refusal.ts';
import { FOREIGN, applyForeignCrds, deleteTestCrds, operatorCrds, requireNoOperatorCrds } from '../support/crds.ts';

/** Faults of upstream charts, simulated with charts of our own, so that no upstream archive is needed. */

const NS = 'it-chart';
const GUEST = 'it-chart-guest';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-charts-'));
const LOKI = 'loki-18.11.0.tgz';
const COLLECTORS = 'opentelemetrycollectors.opentelemetry.io';
const collectorsCrd = (versions: string[], metadata = {}) =>
  makeCrd(COLLECTORS, 'OpenTelemetryCollector', versions, metadata);

const ENV = { GENAI_OBS_CACHE: join(DIR, 'cache') };

const config = (name: string, parts: object): string => minimalConfig(DIR, name, NS, parts);
const WITH_LOKI = config('loki', { loki: { enabled: true, chart: 'loki' } });
const WITH_OPERATOR = config('operator', { 'opentelemetry-operator': { enabled: true } });
/** The gateway needs a backend. */
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

const mirror = fakeMirror(join(DIR, 'mirror'));
const servers: Server[] = [];
async function http(...args: Parameters<typeof serve>): Promise<Server> {
  const server = await serve(...args);
  servers.push(server);
  return server;
}

/** Removes what a failed test left behind. */
async function clean(): Promise<void> {
  const there = (await kubectl(['get', 'namespace', GUEST, NS, '--ignore-not-found', '-o', 'name'])).split('\n');
  if (there.includes(`namespace/${GUEST}`))
    await run('kubectl', ['delete', 'namespace', GUEST, '--wait', '--timeout=60s']);
  if (there.includes(`namespace/${NS}`)) await removeAll(NS);
  deleteTestCrds(NS);
}

/** Uninstalls and checks that nothing is left. */
async function uninstalled(): Promise<string> {
  const { stderr } = await cliOk(['uninstall', '--namespace', NS, '--delete-data', '--yes', '--timeout', '60']);
  expect((await footprint(NS)).filter((line) => !line.includes(GUEST))).toEqual([]);
  return stderr;
}

beforeAll(async () => {
  onInterrupt(() => deleteTestCrds(NS));
  uninstallOnInterrupt(NS);
  await clean();
  await mirror.put('loki', [idleWorkload('StatefulSet', 'loki')]);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await clean();
  rmSync(DIR, { recursive: true, force: true });
});

describe('refuses a chart that is unavailable or altered before anything changes', () => {
  it.each([
    ['a mirror that returns an error', () => 500, 'mirror.json', 'HTTP 500'],
    [
      'a mirror that lacks the archive',
      (path: string) => (path.endsWith('.tgz') ? 404 : 200),
      `charts/${LOKI}`,
      'HTTP 404',
    ],
  ])('%s', async (_name, status, path, why) => {
    const { url } = await http(mirror.folder, status);
    const { what, on, cause, next } = await refuses(NS, install(WITH_LOKI, url), 1, ENV);
    expect(what).toBe('the chart mirror does not serve a file');
    expect(on).toBe(`${url}/${path}`);
    expect(cause).toBe(why);
    expect(next).toContain('--charts DIR');
  });

  it('an unreachable mirror', async () => {
    const { url, close } = await serve(mirror.folder);
    await close();
    const { on, cause, next } = await refuses(NS, install(WITH_LOKI, url), 1, ENV);
    expect(on).toBe(`${url}/mirror.json`);
    expect(cause).toContain('ECONNREFUSED');
    expect(next).toContain(`curl -fsSI ${url}/mirror.json`);
  });

  it.each(['folder', 'http'])('an archive whose digest differs from mirror.json, by %s', async (way) => {
    writeMirrorJson(mirror.folder, { [LOKI]: '0'.repeat(64) });
    try {
      const source = way === 'http' ? (await http(mirror.folder)).url : mirror.folder;
      const { what, on, cause, next } = await refuses(NS, install(WITH_LOKI, source), 1, ENV);
      expect(what).toBe('a chart differs from the pinned one');
      expect(on).toContain(LOKI);
      expect(cause).toMatch(/^its sha256 is [0-9a-f]{64}, expected 0{64}/);
      expect(next).toContain('genai-obs mirror');
    } finally {
      writeMirrorJson(mirror.folder);
    }
  });

  it('a folder without the archive', async () => {
    const empty = fakeMirror(join(DIR, 'empty')).folder;
    const { what, on, next } = await refuses(NS, install(WITH_LOKI, empty), 1, ENV);
    expect(what).toBe('a chart is missing');
    expect(on).toBe(`${LOKI} in ${empty}`);
    expect(next).toContain('genai-obs mirror --out DIR');
  });
});

describe('a missing image', () => {
  afterAll(clean);

  it('is reported with its pod; with a fixed chart the next install resumes', async () => {
    const { url } = await http(mirror.folder);
    const args = install(WITH_LOKI, url, 10);
    await mirror.put('loki', [idleWorkload('StatefulSet', 'loki', NO_IMAGE)]);
    const failed = await cli(args, ENV);
    expect(failed.code, failed.stdout + failed.stderr).toBe(1);
    expectNoCrash(failed);
    const { what, on, cause, next } = errorOf(failed);
    expect(what).toBe('a workload did not become ready within 10 s');
    expect(on).toBe(`StatefulSet ${NS}/loki`);
    expect(cause).toContain(`the image ${NO_IMAGE} of loki-0 cannot be pulled`);
    expect(next).toContain('run install again: it resumes');
    expect(await pending(NS)).toEqual([]);

    await mirror.put('loki', [idleWorkload('StatefulSet', 'loki', IMAGE)]);
    expect(appliedBy(await cliOk([...args, '--json'], ENV))).toEqual(['release/loki']);
    expect(appliedBy(await cliOk([...args, '--json'], ENV))).toEqual([]);
    await uninstalled();
  });
});

describe('an operator, its webhook and its CRDs', () => {
  const crd = collectorsCrd(['v1beta1']);
  const operator = idleWorkload('Deployment', 'opentelemetry-operator');
  beforeEach((context) => requireNoOperatorCrds(context));
  afterEach(clean);

  it('reports a webhook that never serves, skips what needs it, and resumes when it is removed', async () => {
    const args = install(WITH_GATEWAY, mirror.folder, 10);
    await mirror.put('loki', [idleWorkload('StatefulSet', 'loki')]);
    await mirror.put(
      'opentelemetry-operator',
      [operator, ...unservedWebhook(NS, NS, 'opentelemetry.io', 'opentelemetrycollectors')],
      [crd],
    );
    const failed = await cli(args, ENV);
    expect(failed.code, failed.stdout + failed.stderr).toBe(1);
    expectNoCrash(failed);
    const { what, on, cause, next } = errorOf(failed);
    expect(what).toBe('a webhook does not serve after 10 s');
    expect(on).toBe(
      `ValidatingWebhookConfiguration ${NS}, which calls Service ${NS}/${NS} ` +
        `(dry-run of OpenTelemetryCollector ${NS}/genai-obs-dry-run)`,
    );
    expect(cause).toContain(`failed calling webhook "opentelemetrycollectors.${NS}.test"`);
    expect(next).toContain(`-n ${NS} get endpointslices -l kubernetes.io/service-name=${NS}; kubectl --context`);
    expect(next).toContain(`describe validatingwebhookconfiguration ${NS}; then run install again`);
    await kubectl(['-n', NS, 'rollout', 'status', 'deployment/opentelemetry-operator', '--timeout=0s']);
    expect((await get(`${COLLECTORS},networkpolicies`, '-n', NS)).items).toEqual([]);

    // The fake operator creates nothing, so its chart contains the Deployment of the collector.
    await mirror.put('opentelemetry-operator', [operator, idleWorkload('Deployment', 'otel-gateway-collector')], [crd]);
    await kubectl(['delete', 'validatingwebhookconfiguration', NS]);
    expect(appliedBy(await cliOk([...args, '--json'], ENV))).toEqual([
      'release/opentelemetry-operator',
      'resource/otel-gateway',
    ]);
    await uninstalled();
    expect(await operatorCrds()).toEqual([]);
  });

  it('reports a webhook that never responds, instead of the API server that waits for it', async () => {
    const server = await silentWebhook(join(DIR, 'mute'));
    servers.push(server);
    await mirror.put('loki', [idleWorkload('StatefulSet', 'loki')]);
    await mirror.put(
      'opentelemetry-operator',
      [operator, ...unservedWebhook(NS, NS, 'opentelemetry.io', 'opentelemetrycollectors', server.client)],
      [crd],
    );
    const failed = await cli(install(WITH_GATEWAY, mirror.folder, 10), ENV);
    expect(failed.code, failed.stdout + failed.stderr).toBe(1);
    expectNoCrash(failed);
    const { what, on, cause } = errorOf(failed);
    expect(what).toBe('a webhook does not serve after 10 s');
    expect(on).toBe(
      `ValidatingWebhookConfiguration ${NS}, which calls ${server.url} ` +
        `(dry-run of OpenTelemetryCollector ${NS}/genai-obs-dry-run)`,
    );
    expect(cause).toMatch(/no answer within \d+ s/);
  });

  it.each([
    [
      'helm release platform/otel',
      { annotations: { 'meta.helm.sh/release-name': 'otel', 'meta.helm.sh/release-namespace': 'platform' } },
    ],
    [FOREIGN, {}],
  ])('refuses a CRD that lacks a version, and names its owner: %s', async (owner, metadata) => {
    await mirror.put('opentelemetry-operator', [operator], [crd]);
    await applyForeignCrds(collectorsCrd(['v1alpha1'], metadata));
    const before = await get(`crd/${COLLECTORS}`);
    const { what, on, cause, next } = await refuses(NS, install(WITH_OPERATOR, mirror.folder), 1, ENV);
    expect(what).toBe('a CustomResourceDefinition belongs to somebody else and is too old');
    expect(on).toBe(`CustomResourceDefinition ${COLLECTORS}`);
    expect(cause).toBe(`${owner} created it; it does not serve v1beta1, which opentelemetry-operator 0.122.0 needs`);
    expect(next).toContain('let its owner upgrade it');
    expect(await get(`crd/${COLLECTORS}`)).toEqual(before);
  });

  it("uses another owner's CRD that serves the needed version, and uninstall keeps it", async () => {
    await mirror.put('opentelemetry-operator', [operator], [crd]);
    await applyForeignCrds(collectorsCrd(['v1beta1', 'v1alpha1']));
    const before = await get(`crd/${COLLECTORS}`);
    const { stdout } = await cliOk([...install(WITH_OPERATOR, mirror.folder), '--json'], ENV);
    expect(appliedBy({ stdout })).toEqual(['namespace', 'release/opentelemetry-operator']);
    expect(stdout).toContain('1 of 1 belong to somebody else and serve the versions we need');
    await uninstalled();
    expect(await get(`crd/${COLLECTORS}`)).toEqual(before);
  });

  it('keeps our CRD as long as another namespace has objects of it', async () => {
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
    expect(await operatorCrds()).toEqual([COLLECTORS]);
    await kubectl(['-n', GUEST, 'get', COLLECTORS, 'theirs']);

    await kubectl(['-n', GUEST, 'delete', COLLECTORS, 'theirs']);
    await uninstalled();
    expect(await operatorCrds()).toEqual([]);
  });
});

describe('an existing cert-manager', () => {
  const crds = ['Certificate', 'Issuer'].map((kind) => makeCrd(`${kind.toLowerCase()}s.cert-manager.io`, kind, ['v1']));
  const theirs = (version: string) =>
    crds.map((crd) => ({ ...crd, metadata: { ...crd.metadata, labels: { 'app.kubernetes.io/version': version } } }));
  const names = crds.map(({ metadata }) => metadata.name);
  beforeAll(() =>
    mirror.put(
      'cert-manager',
      ['cert-manager', 'cert-manager-cainjector', 'cert-manager-webhook'].map((name) =>
        idleWorkload('Deployment', name),
      ),
      crds,
    ),
  );
  beforeEach((context) => requireNoOperatorCrds(context));
  afterEach(clean);

  it('is refused if it is too old; after an upgrade by its owner it is used, reported and left unchanged', async () => {
    await applyForeignCrds(...theirs('v1.5.0'));
    const { what, on, cause, next } = await refuses(NS, install(WITH_CERTIFICATES, mirror.folder), 1, ENV);
    expect(what).toBe('an existing cert-manager is too old');
    expect(on).toBe('CustomResourceDefinition certificates.cert-manager.io');
    expect(cause).toContain('its label app.kubernetes.io/version is v1.5.0; genai-obs needs at least v1.12.0');
    expect(next).toContain('upgrade cert-manager to v1.12.0');

    await applyForeignCrds(...theirs('v1.20.0'));
    const { stdout } = await cliOk([...install(WITH_CERTIFICATES, mirror.folder), '--json'], ENV);
    expect(stdout).toContain('already in the cluster: CustomResourceDefinition certificates.cert-manager.io');
    expect((await get('deployments', '-n', NS)).items).toEqual([]);
    await uninstalled();
    expect(await operatorCrds()).toEqual(names);
  });
});

describe('a wrong token for Grafana Cloud', () => {
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
        idleWorkload('Deployment', `${RELEASE}-${name}`),
      ),
      ...['node-exporter', 'alloy-logs'].map((name) => idleWorkload('DaemonSet', `${RELEASE}-${name}`)),
      idleWorkload('StatefulSet', `${RELEASE}-alloy-metrics`),
    ]),
  );
  afterEach(clean);

  it('is refused before anything changes; with the right token the next install succeeds', async () => {
    const cloud = await fakeCloud({ token: RIGHT });
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

  it('is refused if it lacks the scope for traces, which is named', async () => {
    const cloud = await fakeCloud({ token: RIGHT, scopes: ['metrics:write', 'logs:write'] });
    try {
      const { what, cause, next } = await refuses(
        NS,
        [...INSTALL, ...PROFILE, '--cloud-url', cloud.endpoints.otlp],
        1,
        withToken(RIGHT),
      );
      expect(what).toMatch(/CLD-03.* answers 403: the token lacks the scope traces:write/);
      expect(cause).toContain('does not allow writes of this signal');
      expect(next).toContain('add traces:write to its policy');
    } finally {
      await cloud.close();
    }
  });
});

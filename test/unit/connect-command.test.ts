import jsonPatch, { type Operation } from 'fast-json-patch';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Answer, KubeError } from '../../src/adapters/kube.ts';
import type { Session } from '../../src/app/session.ts';
import { connect } from '../../src/commands/connect.ts';
import { MEMORY } from '../../src/connect/state.ts';
import type { EnvVar } from '../../src/connect/env.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { newJournal, writeJournal } from '../../src/engine/state/journal.ts';
import { type FakeCluster, NS, fakeCluster } from './support/cluster.ts';
import { quickstart } from './support/config.ts';

const { world } = vi.hoisted(() => ({ world: {} as { cluster?: unknown; wired: number } }));
vi.mock('../../src/app/session.ts', async (original) => ({
  ...(await original<typeof import('../../src/app/session.ts')>()),
  openSession: (options: { namespace?: string }) => Promise.resolve(sessionOf(options.namespace)),
}));

function sessionOf(namespace = NS): Session {
  world.wired += 1;
  const { kube, helm, kubectl } = cluster();
  return { kube, helm, kubectl, context: 'fake', namespace };
}
const cluster = (): FakeCluster => world.cluster as FakeCluster;

/** The operator's objects by name, when the cluster has the operator. */
let instrumentations: Map<string, KubeObject> | undefined;
let patches: Operation[][];
/** Answers that the API server gives to the next patches instead of doing them. */
let answers: (() => Answer | undefined)[];
let out: { stdout: string; stderr: string };

beforeEach(async () => {
  world.cluster = fakeCluster();
  world.wired = 0;
  instrumentations = undefined;
  patches = [];
  answers = [];
  out = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      out[stream] += String(chunk);
      return true;
    });
  const { kube } = cluster();
  kube.json = <T>(path: string): Promise<T> => {
    const missing = new KubeError(404, 'NotFound', 'the server could not find the requested resource');
    if (!instrumentations) return Promise.reject(missing);
    if (path.endsWith('/v1alpha1')) return Promise.resolve({ resources: [{ name: 'instrumentations' }] } as T);
    const found = instrumentations.get(path.split('/').at(-1) ?? '');
    return found ? Promise.resolve(found as T) : Promise.reject(missing);
  };
  kube.request = (method, path, options) => {
    const name = path.split('/').at(-1) ?? '';
    if (method === 'DELETE') {
      instrumentations?.delete(name);
      return Promise.resolve({ status: 200, body: '' });
    }
    if (method !== 'PATCH' || options?.contentType !== 'application/json-patch+json')
      return Promise.reject(new Error(`${method} ${options?.contentType}`));
    const operations = JSON.parse(options.body ?? '') as Operation[];
    patches.push(operations);
    const answer = answers.shift()?.();
    if (answer) return Promise.resolve(answer);
    const live = cluster().get('Deployment', name, 'shop');
    if (!live) return Promise.resolve({ status: 404, body: '' });
    cluster().put(jsonPatch.applyPatch(live, operations, true, false).newDocument);
    return Promise.resolve({ status: 200, body: '{}' });
  };
  kube.apply = (objects) => {
    for (const object of objects)
      if (object.kind === 'Instrumentation') instrumentations?.set(object.metadata.name, object);
      else cluster().put(object);
    return Promise.resolve();
  };
  await writeJournal(kube, NS, await newJournal(kube, quickstart(), []));
  deploy('checkout', [{ name: 'A', value: '1' }]);
});
afterEach(() => void vi.restoreAllMocks());

function deploy(name: string, env: EnvVar[]): void {
  cluster().put({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop', annotations: { 'deployment.kubernetes.io/revision': '1' } },
    spec: {
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'app', image: 'a', env }] } },
    },
  });
}

interface Seen {
  annotations: Record<string, string>;
  template: Record<string, string> | undefined;
  env: Record<string, string | undefined>;
}
function seen(name = 'checkout'): Seen {
  const live = cluster().get('Deployment', name, 'shop')!;
  const { template } = live['spec'] as {
    template: { metadata: { annotations?: Record<string, string> }; spec: { containers: { env?: EnvVar[] }[] } };
  };
  return {
    annotations: live.metadata.annotations ?? {},
    template: template.metadata.annotations,
    env: Object.fromEntries((template.spec.containers[0]?.env ?? []).map((entry) => [entry.name, entry.value])),
  };
}
const spec = (): unknown => cluster().get('Deployment', 'checkout', 'shop')?.['spec'];
const forget = (): void => void Object.assign(out, { stdout: '', stderr: '' });
const APPLY = { apply: 'deployment/checkout', appNamespace: 'shop', yes: true };
const REMOVE = { remove: 'deployment/checkout', appNamespace: 'shop', yes: true };

describe('printing', () => {
  it('prints the stack and the languages', async () => {
    expect(await connect(undefined, {})).toBe(0);
    expect(out.stdout).toContain('http://opentelemetry-collector.genai-observability.svc:4318');
    expect(out.stdout).toMatch(/^genai-obs connect vllm /m);
    forget();
    await connect(undefined, { json: true });
    expect(JSON.parse(out.stdout)).toMatchObject({
      namespace: NS,
      operator: false,
      endpoints: { grpc: expect.stringContaining(':4317') as string },
    });
  });

  it('uses the installed configuration', async () => {
    const config = quickstart({ namespace: 'watch', global: { environment: 'staging' } });
    await writeJournal(cluster().kube, 'watch', await newJournal(cluster().kube, config, []));
    await connect('env', { namespace: 'watch', json: true });
    const { env } = JSON.parse(out.stdout) as { env: EnvVar[] };
    expect(JSON.stringify(env)).toContain('deployment.environment.name=staging');
    expect(JSON.stringify(env)).toContain('opentelemetry-collector.watch.svc:4318');
  });

  it('needs an installed stack, or a profile without a cluster', async () => {
    await expect(connect('python', { namespace: 'elsewhere' })).rejects.toMatchObject({
      exit: 1,
      parts: { next: 'genai-obs install --namespace elsewhere' },
    });
    world.wired = 0;
    expect(await connect('python', { namespace: 'elsewhere', profile: 'quickstart' })).toBe(0);
    expect(out.stdout).toContain('opentelemetry-collector.elsewhere.svc:4318');
    expect(world.wired).toBe(0);
  });

  it('prints the Instrumentation when the operator is installed', async () => {
    instrumentations = new Map();
    await connect('node', { json: true, appNamespace: 'shop', app: 'web' });
    expect(JSON.parse(out.stdout)).toMatchObject({
      env: [],
      instrumentation: { kind: 'Instrumentation', metadata: { namespace: 'shop' } },
      annotations: {
        'instrumentation.opentelemetry.io/inject-nodejs': 'genai-obs',
        'resource.opentelemetry.io/service.name': 'web',
      },
    });
  });
});

describe('--apply and --remove', () => {
  it('shows the changes, applies them, is idempotent, and --remove restores the original', async () => {
    const before = spec();
    expect(await connect(undefined, { ...APPLY, team: 'payments' })).toBe(0);
    expect(out.stderr).toMatch(/\+ container app, env: OTEL_EXPORTER_OTLP_PROTOCOL = http\/protobuf/);
    expect(out.stdout).toBe('');
    expect(seen().env).toMatchObject({
      A: '1',
      OTEL_SERVICE_NAME: 'checkout',
      OTEL_RESOURCE_ATTRIBUTES: expect.stringContaining('genops.team=payments') as string,
    });

    forget();
    const live = cluster().get('Deployment', 'checkout', 'shop');
    expect(await connect(undefined, { ...APPLY, team: 'payments' })).toBe(0);
    expect(out.stderr).toContain('Nothing to do');
    expect(cluster().get('Deployment', 'checkout', 'shop')).toEqual(live);
    expect(patches).toHaveLength(1);

    expect(await connect(undefined, REMOVE)).toBe(0);
    expect(spec()).toEqual(before);
    expect(seen().annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' });
    forget();
    expect(await connect(undefined, REMOVE)).toBe(0);
    expect(out.stderr).toMatch(/Nothing to do.*not connected/);
  });

  it('with --json prints only the changes to stdout', async () => {
    await connect('env', { ...APPLY, json: true });
    const result = JSON.parse(out.stdout) as { changed: boolean; differences: { name: string }[] };
    expect(result.changed).toBe(true);
    expect(result.differences.map(({ name }) => name)).toContain('OTEL_SERVICE_NAME');
    forget();
    await connect('env', { ...APPLY, json: true });
    expect(JSON.parse(out.stdout)).toEqual({ deployment: 'shop/checkout', changed: false, differences: [] });
  });

  it('rejects a Deployment that does not exist, and lists the existing ones', async () => {
    await expect(connect(undefined, { ...APPLY, apply: 'deployment/chekout' })).rejects.toMatchObject({
      exit: 1,
      parts: {
        what: 'the Deployment does not exist',
        object: 'Deployment shop/chekout',
        cause: 'the namespace contains: checkout',
      },
    });
  });

  it('changes nothing without a terminal and without --yes', async () => {
    await expect(connect(undefined, { ...APPLY, yes: false })).rejects.toMatchObject({
      exit: 2,
      parts: { next: 'add --yes' },
    });
    expect(patches).toEqual([]);
  });

  it('--remove works without the stack, --apply does not', async () => {
    await connect(undefined, APPLY);
    await expect(connect(undefined, { ...APPLY, namespace: 'elsewhere' })).rejects.toMatchObject({
      parts: { what: 'genai-obs is not installed here' },
    });
    expect(await connect(undefined, { ...REMOVE, namespace: 'elsewhere' })).toBe(0);
    expect(seen().env).toEqual({ A: '1' });
  });

  it('retries with the new resourceVersion after a conflict', async () => {
    const conflict = (): Answer => {
      cluster().put(cluster().get('Deployment', 'checkout', 'shop')!);
      return { status: 409, body: '{"reason":"Conflict","message":"the object has been modified"}' };
    };
    answers = [conflict, conflict];
    expect(await connect(undefined, APPLY)).toBe(0);
    const versions = patches.map(([guard]) => guard && 'value' in guard && guard.value);
    expect(new Set(versions).size).toBe(3);
  });

  it('does not apply changes that were not shown', async () => {
    answers = [
      () => {
        deploy('checkout', [{ name: 'OTEL_EXPORTER_OTLP_PROTOCOL', value: 'grpc' }]);
        return { status: 409, body: '' };
      },
    ];
    await expect(connect(undefined, APPLY)).rejects.toMatchObject({
      parts: { what: 'the Deployment was changed by another client meanwhile' },
    });
    expect(seen().env).toEqual({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
  });

  it('reports why the API server rejects the patch', async () => {
    answers = [() => ({ status: 403, body: '{"reason":"Forbidden","message":"deployments is forbidden"}' })];
    await expect(connect(undefined, APPLY)).rejects.toMatchObject({
      parts: { what: expect.stringContaining('not allowed') as string, cause: 'deployments is forbidden' },
    });
  });

  it('warns about variables that override ours', async () => {
    deploy('checkout', [{ name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', value: 'http://elsewhere:4318' }]);
    await connect('vllm', APPLY);
    expect(out.stderr).toMatch(/note: container app sets OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http:\/\/elsewhere:4318/);
    expect(out.stderr).not.toMatch(/note: .*TRACES_PROTOCOL/);
  });
});

describe('--apply with the operator', () => {
  beforeEach(() => {
    instrumentations = new Map();
    deploy('web', []);
  });
  const web = { apply: 'deployment/web', appNamespace: 'shop', yes: true };

  it('creates one Instrumentation per namespace, and deletes it with the last application', async () => {
    await connect('python', APPLY);
    expect(out.stderr).toContain('Instrumentation shop/genai-obs');
    expect(seen().env).toEqual({ A: '1' });
    expect(seen().template).toMatchObject({ 'instrumentation.opentelemetry.io/inject-python': 'genai-obs' });
    await connect('node', web);
    expect([...instrumentations!.keys()]).toEqual(['genai-obs']);
    forget();
    await connect('python', APPLY);
    expect(out.stderr).toContain('Nothing to do');

    await connect(undefined, REMOVE);
    expect(seen()).toMatchObject({ env: { A: '1' }, template: undefined });
    expect([...instrumentations!.keys()], 'web still needs it').toEqual(['genai-obs']);
    await connect(undefined, { ...REMOVE, remove: 'deployment/web' });
    expect([...instrumentations!.keys()]).toEqual([]);
    expect(seen('web').annotations).not.toHaveProperty(MEMORY);
  });

  it('keeps the Instrumentation for a StatefulSet that was annotated by hand', async () => {
    await connect('python', APPLY);
    const annotations = { 'instrumentation.opentelemetry.io/inject-python': 'genai-obs' };
    cluster().put({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'index', namespace: 'shop' },
      spec: { template: { metadata: { annotations }, spec: { containers: [{ name: 'app' }] } } },
    });
    await connect(undefined, REMOVE);
    expect([...instrumentations!.keys()]).toEqual(['genai-obs']);
  });

  it('resumes a run that was interrupted between Instrumentation and Deployment', async () => {
    await connect('python', APPLY);
    answers = [() => ({ status: 500, body: 'etcd is away' })];
    await expect(connect(undefined, REMOVE)).rejects.toMatchObject({ exit: 1 });
    expect(await connect(undefined, REMOVE)).toBe(0);
    expect([...instrumentations!.keys()]).toEqual([]);
    expect(seen()).toMatchObject({ env: { A: '1' }, template: undefined });
  });

  it('reverts an Instrumentation that was edited by hand', async () => {
    await connect('python', APPLY);
    const edited = instrumentations!.get('genai-obs')!;
    instrumentations!.set('genai-obs', {
      ...edited,
      spec: { ...(edited['spec'] as object), exporter: { endpoint: 'http://elsewhere:4318' } },
    });
    forget();
    await connect('python', APPLY);
    expect(out.stderr).toMatch(/spec\.exporter\.endpoint: http:\/\/elsewhere:4318 → http:\/\/opentelemetry-collector/);
    expect(instrumentations!.get('genai-obs')).toEqual(edited);
  });

  it('replaces the variables of a connected application by annotations', async () => {
    instrumentations = undefined;
    await connect('python', APPLY);
    expect(seen().env).toHaveProperty('OTEL_SERVICE_NAME');
    instrumentations = new Map();
    await connect('python', APPLY);
    expect(seen().env).toEqual({ A: '1' });
    expect(seen().template).toHaveProperty(['instrumentation.opentelemetry.io/inject-python']);
  });
});

describe('a gateway that requires a client certificate', () => {
  const HOME = 'genai-observability';
  const stack = async (clients: string[]): Promise<void> => {
    const mtls = { enabled: true, mode: 'strict', clients };
    const config = quickstart({ 'cert-manager': { enabled: true }, security: { mtls } });
    await writeJournal(cluster().kube, NS, await newJournal(cluster().kube, config, []));
  };
  const issue = (key: string): void =>
    void cluster().put({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'otel-client-shop', namespace: HOME },
      data: { 'ca.crt': 'Q0E=', 'tls.crt': 'Q0VSVA==', 'tls.key': key },
    });
  const copy = (): KubeObject | undefined => cluster().get('Secret', 'otel-client-shop', 'shop');
  interface Spec {
    template: { spec: { volumes?: object[]; containers: { volumeMounts?: object[] }[] } };
  }
  const podOf = (name: string): Spec['template']['spec'] =>
    (cluster().get('Deployment', name, 'shop')!['spec'] as Spec).template.spec;

  beforeEach(async () => {
    await stack(['studio-1', 'shop']);
    issue('S0VZ');
  });

  it('is an error when none is configured for applications', async () => {
    await stack([]);
    await expect(connect('python', { appNamespace: 'shop' })).rejects.toMatchObject({
      parts: {
        cause: 'security.mtls.clients is empty',
        next: expect.stringContaining('security.mtls.clients: [shop]') as string,
      },
    });
    expect(await connect(undefined, {})).toBe(0);
  });

  it('prints the TLS port, the files and the Secret', async () => {
    await connect('python', { appNamespace: 'shop' });
    expect(out.stdout).toContain('https://opentelemetry-collector.genai-observability.svc:4320');
    expect(out.stdout).toMatch(/OTEL_EXPORTER_OTLP_CLIENT_KEY\n +value: \/etc\/genai-obs\/otlp\/tls\.key/);
    expect(out.stdout).toMatch(/Secret otel-client-shop from namespace genai-observability/);
    expect(out.stdout).not.toMatch(/\.svc:431[78]/);
    forget();
    await connect('python', { appNamespace: 'bank', app: 'shop', json: true });
    expect(JSON.parse(out.stdout)).toMatchObject({ volumes: [{ secret: { secretName: 'otel-client-shop' } }] });
    forget();
    await connect('python', { appNamespace: 'bank', json: true });
    expect(JSON.parse(out.stdout)).toMatchObject({ volumes: [{ secret: { secretName: 'otel-client-studio-1' } }] });
  });

  it('--apply copies and mounts the Secret, is idempotent, and --remove deletes the copy', async () => {
    const before = spec();
    await connect(undefined, APPLY);
    expect(out.stderr).toMatch(/\+ Secret shop\/otel-client-shop: object = copied from namespace genai-observability/);
    expect(out.stderr).toMatch(/\+ pod template, volumes: genai-obs-otlp = Secret otel-client-shop/);
    expect(out.stderr).toMatch(/\+ container app, volumeMounts: genai-obs-otlp = \/etc\/genai-obs\/otlp/);
    expect(out.stderr).not.toContain('S0VZ');
    expect(copy()?.['data']).toEqual({ 'ca.crt': 'Q0E=', 'tls.crt': 'Q0VSVA==', 'tls.key': 'S0VZ' });
    expect(podOf('checkout').volumes).toHaveLength(1);
    forget();
    await connect(undefined, APPLY);
    expect(out.stderr).toContain('Nothing to do');

    issue('TkVX');
    forget();
    await connect(undefined, APPLY);
    expect(out.stderr).toMatch(/~ Secret shop\/otel-client-shop: data/);
    expect(out.stderr).not.toContain('TkVX');
    expect(copy()?.['data']).toMatchObject({ 'tls.key': 'TkVX' });

    deploy('web', []);
    await connect(undefined, { ...APPLY, apply: 'deployment/web' });
    await connect(undefined, REMOVE);
    expect(spec()).toEqual(before);
    expect(copy(), 'web still needs it').toBeDefined();
    await connect(undefined, { ...REMOVE, remove: 'deployment/web' });
    expect(copy()).toBeUndefined();
    expect(cluster().get('Secret', 'otel-client-shop', HOME), 'the gateway’s own').toBeDefined();
  });

  it('is an error when the certificate is missing, or the name is used by another Secret', async () => {
    const theirs: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'otel-client-shop', namespace: 'shop' },
      data: { 'tls.key': 'dGhlaXJz' },
    };
    cluster().put(theirs);
    await expect(connect(undefined, APPLY)).rejects.toMatchObject({
      parts: { object: 'Secret shop/otel-client-shop' },
    });
    expect(copy()?.['data']).toEqual(theirs['data']);
    await cluster().kube.remove({ apiVersion: 'v1', kind: 'Secret', name: 'otel-client-shop', namespace: HOME });
    await expect(connect(undefined, APPLY)).rejects.toMatchObject({
      parts: { what: 'the client certificate does not exist', object: `Secret ${HOME}/otel-client-shop` },
    });
    expect(patches).toEqual([]);
  });

  it('keeps the copy for a StatefulSet that mounts it by hand', async () => {
    await connect(undefined, APPLY);
    const volumes = [{ name: 'certificate', secret: { secretName: 'otel-client-shop' } }];
    cluster().put({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'index', namespace: 'shop' },
      spec: { template: { spec: { volumes, containers: [{ name: 'app' }] } } },
    });
    await connect(undefined, REMOVE);
    expect(copy()).toBeDefined();
  });

  it('warns about CA bundles that override the mounted one', async () => {
    deploy('checkout', [{ name: 'REQUESTS_CA_BUNDLE', value: '/etc/ssl/corporate.pem' }]);
    await connect(undefined, APPLY);
    expect(out.stderr).toMatch(/note: container app sets REQUESTS_CA_BUNDLE/);
  });

  it('removes the volume when the stack returns to plain OTLP', async () => {
    await connect(undefined, APPLY);
    await writeJournal(cluster().kube, NS, await newJournal(cluster().kube, quickstart(), []));
    await connect(undefined, APPLY);
    expect(podOf('checkout')).not.toHaveProperty('volumes');
    expect(seen().env).not.toHaveProperty('OTEL_EXPORTER_OTLP_CLIENT_KEY');
  });

  it('with the operator, the Instrumentation names the mounted files', async () => {
    instrumentations = new Map();
    await connect('python', APPLY);
    expect(instrumentations.get('genai-obs')).toMatchObject({
      spec: {
        env: expect.arrayContaining([
          { name: 'OTEL_EXPORTER_OTLP_CLIENT_KEY', value: '/etc/genai-obs/otlp/tls.key' },
        ]) as EnvVar[],
      },
    });
    expect(copy()).toBeDefined();
    expect(podOf('checkout').volumes).toHaveLength(1);
    expect(seen().env).toEqual({ A: '1' });
    await connect(undefined, REMOVE);
    expect(copy()).toBeUndefined();
    expect([...instrumentations.keys()]).toEqual([]);
  });
});

import { afterEach, describe, expect, it, vi } from 'vitest';
import { KubeError } from '../../src/adapters/kube.ts';
import { ObsError } from '../../src/core/errors.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { PINS } from '../../src/charts/pins.ts';
import { withAddresses } from '../../src/parts/addresses.ts';
import { observe } from '../../src/engine/steps/index.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { CrdsStep } from '../../src/engine/steps/crds.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import type { ReleaseStep } from '../../src/engine/steps/release.ts';
import type { ApplyContext, Observation } from '../../src/engine/steps/types.ts';
import type { WebhookStep } from '../../src/engine/steps/webhook.ts';
import { uninstall } from '../../src/engine/uninstall/index.ts';
import { planRemoval } from '../../src/engine/uninstall/plan.ts';
import { extended, profileLayer } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { type FakeCluster, NS, fakeCluster, contextOf, releaseObjects, applyStep } from './support/cluster.ts';
import { quickstart } from './support/config.ts';
import { session } from './support/engine.ts';

afterEach(() => void vi.useRealTimers());

const config = quickstart({ 'cert-manager': { enabled: true, namespace: 'certs' } });
const plan = buildPlan(config);
const step = <T extends Step>(id: string): T => plan.find((candidate) => candidate.id === id) as T;
/** A copy, as for a new run: a step renders its CRDs only once. */
const crds = (): CrdsStep => structuredClone(step<CrdsStep>('crds/cert-manager'));
const webhook = step<WebhookStep>('webhook/cert-manager');
const NAME = 'certificates.cert-manager.io';
const VERSION_LABEL = 'app.kubernetes.io/version';

const observed = (cluster: FakeCluster, one: Step): Promise<Observation> => observe(one, contextOf(cluster));

function definition(name: string, versions: string[], labels: Record<string, string> = {}): KubeObject {
  const [plural = '', ...group] = name.split('.');
  const spec = {
    group: group.join('.'),
    names: { plural },
    versions: versions.map((version) => ({ name: version, served: true })),
  };
  return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name, labels }, spec };
}

/** A cluster in which the cert-manager chart has one CRD. */
function fresh(): FakeCluster {
  const cluster = fakeCluster();
  cluster.definitions = (release) =>
    release === 'cert-manager' ? [definition(NAME, ['v1'], { [VERSION_LABEL]: PINS['cert-manager'].version })] : [];
  cluster.rendered = ({ release, namespace }) => {
    const workloads = plan.flatMap((one) =>
      one.kind === 'release' && one.release === release && one.chart.source === 'upstream' ? one.workloads : [],
    );
    const labels = { 'app.kubernetes.io/part-of': 'genai-obs', 'app.kubernetes.io/managed-by': 'Helm' };
    return workloads.length
      ? workloads.map(({ kind, name }) => ({
          apiVersion: 'apps/v1',
          kind,
          metadata: { name, namespace, labels },
          spec: { replicas: 1, selector: { matchLabels: { app: name } } },
        }))
      : releaseObjects(release, namespace);
  };
  return cluster;
}

describe('the CRDs of a chart', () => {
  it('are created with our labels, and are done once the API serves them', async () => {
    const cluster = fresh();
    expect(await observed(cluster, crds())).toMatchObject({
      state: 'absent',
      changes: [{ ref: { name: NAME }, action: 'create' }],
    });
    await applyStep(crds(), contextOf(cluster));
    expect(cluster.get('CustomResourceDefinition', NAME)?.metadata).toMatchObject({
      labels: { 'app.kubernetes.io/part-of': 'genai-obs', [VERSION_LABEL]: PINS['cert-manager'].version },
      annotations: { 'genai-obs.io/chart': `cert-manager-${PINS['cert-manager'].version}` },
    });
    expect(await observed(cluster, crds())).toEqual({ state: 'done', changes: [] });
  });

  it('are updated when they are ours and come from an older chart', async () => {
    const cluster = fresh();
    await applyStep(crds(), contextOf(cluster));
    cluster.definitions = () => [definition(NAME, ['v1', 'v2'])];
    expect(await observed(cluster, crds())).toMatchObject({
      state: 'drifted',
      changes: [{ ref: { name: NAME }, action: 'change' }],
    });
    await applyStep(crds(), contextOf(cluster));
    expect(
      (cluster.get('CustomResourceDefinition', NAME)!['spec'] as { versions: { name: string }[] }).versions.map(
        ({ name }) => name,
      ),
    ).toEqual(['v1', 'v2']);
  });

  it('never contain the CA bundle that a chart generates at each rendering', async () => {
    const cluster = fresh();
    const conversion = (caBundle: string): JsonMap => ({
      conversion: { strategy: 'Webhook', webhook: { clientConfig: { caBundle, service: { name: 's' } } } },
    });
    let bundle = 'one';
    cluster.definitions = () => [{ ...definition(NAME, []), spec: { versions: [], ...conversion(bundle) } }];
    await applyStep(crds(), contextOf(cluster));
    expect(JSON.stringify(cluster.get('CustomResourceDefinition', NAME))).not.toContain('caBundle');
    bundle = 'two';
    expect((await observed(cluster, crds())).state).toBe('done');
  });

  it('are used unchanged when another owner created them and they serve the required versions', async () => {
    const cluster = fresh();
    const theirs = cluster.put(definition(NAME, ['v1alpha2', 'v1']));
    expect(await observed(cluster, crds())).toEqual({
      state: 'done',
      changes: [],
      detail: '1 of 1 belong to somebody else and serve the versions we need',
    });
    await applyStep(crds(), contextOf(cluster));
    expect(cluster.calls).toEqual([]);
    expect(cluster.get('CustomResourceDefinition', NAME)).toEqual(theirs);
  });

  it('refuses CRDs of another owner that are too old, before anything changes, and names the owner', async () => {
    const cluster = fresh();
    const theirs = definition(NAME, ['v1alpha2']);
    theirs.metadata.annotations = { 'meta.helm.sh/release-name': 'certs', 'meta.helm.sh/release-namespace': 'infra' };
    cluster.put(theirs);
    await expect((await session(cluster, config, buildPlan(config))).result).rejects.toMatchObject({
      parts: {
        what: 'a CustomResourceDefinition belongs to somebody else and is too old',
        object: `CustomResourceDefinition ${NAME}`,
        cause: expect.stringMatching(/helm release infra\/certs created it; it does not serve v1,/) as string,
      },
    });
    expect(cluster.calls).toEqual([]);
  });

  it('fails when the API does not serve a CRD in time, unless a later webhook step checks it', async () => {
    const cluster = fresh();
    const { kube } = cluster;
    const apply: ApplyContext['kube']['apply'] = async (objects, options) => {
      await kube.apply(objects, options);
      for (const object of objects) cluster.put({ ...object, status: { conditions: [] } });
    };
    cluster.kube = { ...kube, apply };
    await expect(applyStep(crds(), contextOf(cluster, { timeout: 1 }))).resolves.toBeUndefined();
    await expect(applyStep({ ...crds(), served: true }, contextOf(cluster, { timeout: 1 }))).rejects.toMatchObject({
      parts: {
        what: 'the API server does not serve a new CustomResourceDefinition',
        object: `CustomResourceDefinition ${NAME}`,
      },
    });
    cluster.kube = kube;
    await expect(applyStep({ ...crds(), served: true }, contextOf(cluster, { timeout: 1 }))).resolves.toBeUndefined();
  });
});

describe('a release whose pods are not ready', () => {
  it.each([
    ['is upgraded when its chart is upstream: a fixed archive can have the same version', 'release/cert-manager', 1],
    ['is not upgraded when the chart is ours: its values contain the chart digest', 'release/loki', 0],
  ])('%s', async (_name, id, upgrades) => {
    const cluster = fresh();
    await applyStep(step<ReleaseStep>(id), contextOf(cluster), { seen: { state: 'absent', changes: [] } });
    const before = cluster.calls.length;
    await applyStep(step<ReleaseStep>(id), contextOf(cluster), { seen: { state: 'unready', changes: [] } });
    expect(cluster.calls.slice(before).filter((call) => call.includes('upgrade'))).toHaveLength(upgrades);
  });
});

describe('a webhook', () => {
  /** Rejects the first `times` applies with this cause. */
  const saying = (cluster: FakeCluster, cause: string, times: number): void => {
    const { kube } = cluster;
    const apply: ApplyContext['kube']['apply'] = (objects, options) =>
      times-- > 0
        ? Promise.reject(new ObsError({ what: 'the cluster refused an object', cause }))
        : kube.apply(objects, options);
    cluster.kube = { ...kube, apply };
  };
  const wait = async (
    cluster: FakeCluster,
    over: Partial<ApplyContext> = {},
  ): Promise<{ reported: string[]; error: unknown }> => {
    vi.useFakeTimers();
    const reported: string[] = [];
    const work = applyStep(webhook, contextOf(cluster, over), { report: (detail) => reported.push(detail) }).then(
      () => undefined,
      (error: unknown) => error,
    );
    await vi.advanceTimersByTimeAsync(20_000);
    return { reported, error: await work };
  };
  const REFUSED = 'failed calling webhook "webhook.cert-manager.io": connection refused';

  it('is ready once a dry run passes; the dry run leaves no object behind', async () => {
    const cluster = fakeCluster();
    saying(cluster, REFUSED, 3);
    const { reported, error } = await wait(cluster);
    expect(error).toBeUndefined();
    expect(reported).toHaveLength(3);
    expect(cluster.calls).toEqual(['dry-run Issuer/genai-obs-dry-run']);
    expect(cluster.get('Issuer', 'genai-obs-dry-run', 'certs')).toBeUndefined();
  });

  it('is unready when it times out; an unreachable cluster is an error', async () => {
    const cluster = fakeCluster();
    const failing = (reason: string): FakeCluster => ({
      ...cluster,
      kube: { ...cluster.kube, request: () => Promise.reject(new KubeError(0, reason, 'no answer')) },
    });
    expect(await observed(failing('Timeout'), webhook)).toEqual({
      state: 'unready',
      changes: [],
      detail: 'it does not serve (no answer within 5 s)',
    });
    await expect(observed(failing('Unreachable'), webhook)).rejects.toThrow('no answer');
  });

  const configuration = (
    kind: string,
    name: string,
    webhooks: [name: string, service: string | undefined, group: string, resource: string][],
  ): KubeObject => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name },
    webhooks: webhooks.map(([webhook, service, group, resource]) => ({
      name: webhook,
      clientConfig: service
        ? { service: { namespace: 'certs', name: service, port: 443 } }
        : { url: 'https://policies.example' },
      rules: [{ apiGroups: [group], resources: [resource] }],
    })),
  });
  const OWN = configuration('ValidatingWebhookConfiguration', 'cert-manager-webhook', [
    ['webhook.cert-manager.io', 'cert-manager-webhook', 'cert-manager.io', '*/*'],
    ['challenges.cert-manager.io', 'cert-manager-webhook', 'acme.cert-manager.io', '*/*'],
  ]);
  const OTHERS = configuration('MutatingWebhookConfiguration', 'policies', [
    ['all.policies.example', undefined, '*', '*'],
  ]);
  const ELSEWHERE = configuration('ValidatingWebhookConfiguration', 'shop', [
    ['orders.shop.example', 'shop', 'shop.example', '*'],
    ['certificates.shop.example', 'shop', 'cert-manager.io', 'certificates'],
  ]);

  it('fails after the timeout with the last error, and names its configuration and Service', async () => {
    const cluster = fakeCluster();
    for (const one of [OWN, OTHERS, ELSEWHERE]) cluster.put(one);
    saying(cluster, REFUSED, Infinity);
    expect((await wait(cluster)).error).toMatchObject({
      parts: {
        what: 'a webhook does not serve after 5 s',
        object:
          'ValidatingWebhookConfiguration cert-manager-webhook, which calls Service certs/cert-manager-webhook ' +
          '(dry-run of Issuer certs/genai-obs-dry-run)',
        cause: REFUSED,
        next:
          'kubectl --context fake -n certs get endpointslices -l kubernetes.io/service-name=cert-manager-webhook; ' +
          'kubectl --context fake describe validatingwebhookconfiguration cert-manager-webhook; ' +
          'then run install again: it resumes',
      },
    });
  });

  it('lists every webhook that is called for the object when the error names none', async () => {
    const cluster = fakeCluster();
    for (const one of [OTHERS, ELSEWHERE, OWN]) cluster.put(one);
    saying(cluster, 'context deadline exceeded', Infinity);
    expect((await wait(cluster)).error).toMatchObject({
      parts: {
        object:
          'ValidatingWebhookConfiguration cert-manager-webhook, which calls Service certs/cert-manager-webhook; ' +
          'MutatingWebhookConfiguration policies, which calls https://policies.example ' +
          '(dry-run of Issuer certs/genai-obs-dry-run)',
      },
    });
  });

  it.each([
    ['none exists', false],
    ['they cannot be listed', true],
  ])('names only the object without a webhook configuration, because %s', async (_name, refused) => {
    const cluster = fakeCluster();
    if (refused)
      cluster.before = (operation) => {
        if (operation.startsWith('list ')) throw new KubeError(403, 'Forbidden', 'no');
      };
    saying(cluster, REFUSED, Infinity);
    expect((await wait(cluster)).error).toMatchObject({
      parts: {
        object: 'Issuer certs/genai-obs-dry-run',
        cause: REFUSED,
        next: expect.stringContaining(
          'kubectl --context fake get validatingwebhookconfigurations,mutatingwebhookconfigurations; then',
        ) as string,
      },
    });
  });

  it.each([
    'admission webhook "webhook.cert-manager.io" denied the request: no',
    'Issuer "x" is invalid: spec: Required value',
  ])('fails at once when it rejects the object: %s', async (cause) => {
    const cluster = fakeCluster();
    saying(cluster, cause, Infinity);
    const { reported, error } = await wait(cluster);
    expect(error).toMatchObject({ parts: { what: 'the cluster refused an object', cause } });
    expect(reported).toEqual([]);
  });

  it('stops waiting when the run is interrupted', async () => {
    const cluster = fakeCluster();
    saying(cluster, REFUSED, Infinity);
    expect((await wait(cluster, { signal: AbortSignal.abort() })).error).toMatchObject({
      exit: 130,
      parts: { cause: REFUSED },
    });
  });
});

describe('an existing cert-manager', () => {
  const release = step('release/cert-manager');
  const theirs = (version?: string): KubeObject =>
    definition(NAME, ['v1'], version ? { [VERSION_LABEL]: version } : {});

  it.each(['v1.12.0', 'v1.21.1', '2.0', 'lts-1.2', undefined])(
    'is used when it is new enough or has no version label (%s)',
    async (version) => {
      const cluster = fresh();
      cluster.put(theirs(version));
      expect(await observed(cluster, release)).toEqual({
        state: 'done',
        changes: [],
        detail: `already in the cluster: CustomResourceDefinition ${NAME}`,
      });
      const { result, events } = await session(cluster, config, buildPlan(config));
      await result;
      expect(events).toContainEqual(
        expect.objectContaining({
          type: 'done',
          id: 'release/cert-manager',
          result: 'unchanged',
          detail: expect.stringContaining(NAME) as string,
        }),
      );
      expect(cluster.calls).not.toContain('helm upgrade cert-manager');
      expect(cluster.get('CustomResourceDefinition', NAME)?.metadata.labels).toEqual(theirs(version).metadata.labels);
    },
  );

  it.each(['v1.11.5', 'v0.16.1', '1.9'])(
    'is refused before anything changes when it is too old (%s)',
    async (version) => {
      const cluster = fresh();
      cluster.put(theirs(version));
      await expect((await session(cluster, config, buildPlan(config))).result).rejects.toMatchObject({
        parts: {
          what: 'an existing cert-manager is too old',
          object: `CustomResourceDefinition ${NAME}`,
          cause: expect.stringContaining(`is ${version}; genai-obs needs at least v1.12.0`) as string,
        },
      });
      expect(cluster.calls).toEqual([]);
    },
  );

  it('does not block the install when its CRDs are ours', async () => {
    const cluster = fresh();
    await (
      await session(cluster, config, buildPlan(config))
    ).result;
    expect(cluster.calls).toContain('helm upgrade cert-manager');
    expect(await observed(cluster, release)).toEqual({ state: 'done', changes: [] });
  });
});

describe('addresses of services', () => {
  const spread = resolve(extended(profileLayer('k3s')));
  it.each([
    [
      'an address in the same namespace stays unchanged',
      'http://loki:3100/ready',
      'monitoring',
      'http://loki:3100/ready',
    ],
    [
      'an address in another namespace gets that namespace',
      'http://loki:3100/otlp',
      'observability',
      'http://loki.monitoring.svc:3100/otlp',
    ],
    [
      'an address gets the port of the chart that serves it',
      'http://prometheus-server/api/v1/write',
      'observability',
      'http://prometheus.monitoring.svc:9090/api/v1/write',
    ],
    ['an address without a scheme gets the namespace', 'tempo:4317', 'observability', 'tempo.monitoring.svc:4317'],
    [
      'the gateway that the operator runs gets its own Service name',
      'http://opentelemetry-collector:4318',
      'grafana',
      'http://otel-gateway-collector.observability.svc:4318',
    ],
    ['a bare word is not an address', 'job="loki"', 'observability', 'job="loki"'],
    [
      'a part of another name is not an address',
      'http://my-loki:3100 loki.example:3100',
      'observability',
      'http://my-loki:3100 loki.example:3100',
    ],
  ])('%s: %s', (_name, text, from, expected) => {
    expect(withAddresses({ list: [text, 1, null] }, spread, from)).toEqual({ list: [expected, 1, null] });
  });

  it('addresses of quickstart stay unchanged', () => {
    const text = 'http://prometheus-server http://loki:3100 tempo:4317 http://grafana opentelemetry-collector:4317';
    expect(withAddresses(text, quickstart(), NS)).toBe(text);
  });
});

describe('uninstall of several namespaces', () => {
  const installed = async (): Promise<FakeCluster> => {
    const cluster = fresh();
    await (
      await session(cluster, config, buildPlan(config))
    ).result;
    cluster.put({
      apiVersion: 'opentelemetry.io/v1beta1',
      kind: 'OpenTelemetryCollector',
      metadata: {
        name: 'otel-gateway',
        namespace: NS,
        labels: { 'app.kubernetes.io/part-of': 'genai-obs', 'app.kubernetes.io/managed-by': 'genai-obs' },
      },
    });
    cluster.calls.length = 0;
    return cluster;
  };

  it('deletes custom resources before their operators, CRDs with the data, and the home namespace last', async () => {
    const cluster = await installed();
    const removal = await planRemoval({ kube: cluster.kube, namespace: NS });
    expect(removal.releases).toContainEqual({ name: 'cert-manager', namespace: 'certs' });
    expect(removal.resources.map((ref) => ref.name)).toEqual(['otel-gateway']);
    expect(removal.namespaces.map((ref) => ref.name)).toEqual(['certs', NS]);
    expect(removal.data).toContainEqual(expect.objectContaining({ kind: 'CustomResourceDefinition', name: NAME }));
    await uninstall(removal, contextOf(cluster, { timeout: 50 }), { deleteData: true }, () => {});
    const at = (call: string): number => cluster.calls.indexOf(call);
    expect(at('remove OpenTelemetryCollector/otel-gateway')).toBe(0);
    expect(at('helm uninstall cert-manager')).toBeGreaterThan(0);
    expect(at(`remove CustomResourceDefinition/${NAME}`)).toBeGreaterThan(at('helm uninstall cert-manager'));
    expect(cluster.calls.slice(-3)).toEqual([
      'remove ConfigMap/genai-obs-journal',
      'remove Namespace/certs',
      `remove Namespace/${NS}`,
    ]);
  });

  it('keeps CRDs and namespaces without --delete-data, and reports them', async () => {
    const cluster = await installed();
    const { kept } = await uninstall(
      await planRemoval({ kube: cluster.kube, namespace: NS }),
      contextOf(cluster, { timeout: 50 }),
      { deleteData: false },
      () => {},
    );
    expect(kept).toEqual(
      expect.arrayContaining([`CustomResourceDefinition ${NAME}`, 'Namespace certs', `Namespace ${NS}`]),
    );
    expect(cluster.get('CustomResourceDefinition', NAME)).toBeDefined();
  });

  it('keeps a namespace with objects of another owner, and deletes the others', async () => {
    const cluster = await installed();
    cluster.put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'theirs', namespace: 'certs' } });
    const removal = await planRemoval({ kube: cluster.kube, namespace: NS });
    expect(removal).toMatchObject({
      namespaces: [{ name: NS }],
      held: [{ name: 'certs' }],
      foreign: ['Secret certs/theirs'],
    });
    const { kept } = await uninstall(removal, contextOf(cluster, { timeout: 50 }), { deleteData: true }, () => {});
    expect(kept).toEqual(['Namespace certs']);
    expect(cluster.get('Namespace', 'certs')).toBeDefined();
    expect(cluster.get('Namespace', NS)).toBeUndefined();
  });

  it('uninstalls no release while a custom resource still exists, and names its finalizer', async () => {
    const cluster = await installed();
    const { kube } = cluster;
    cluster.kube = {
      ...kube,
      remove: (ref) => (ref.kind === 'OpenTelemetryCollector' ? Promise.resolve(true) : kube.remove(ref)),
    };
    const live = cluster.get('OpenTelemetryCollector', 'otel-gateway')!;
    cluster.put({ ...live, metadata: { ...live.metadata, finalizers: ['opentelemetryoperator.io/finalizer'] } });
    await expect(
      uninstall(
        await planRemoval({ kube: cluster.kube, namespace: NS }),
        contextOf(cluster, { timeout: 50 }),
        { deleteData: false },
        () => {},
      ),
    ).rejects.toMatchObject({
      parts: {
        object: `OpenTelemetryCollector ${NS}/otel-gateway`,
        cause: 'finalizers: opentelemetryoperator.io/finalizer',
      },
    });
    expect(cluster.calls.filter((call) => call.startsWith('helm uninstall'))).toEqual([]);
  });
});

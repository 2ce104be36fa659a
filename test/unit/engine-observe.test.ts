import { afterEach, describe, expect, it, vi } from 'vitest';
import { KubeError } from '../../src/adapters/kube.ts';
import { ObsError } from '../../src/core/errors.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { type Step, observe } from '../../src/engine/steps/index.ts';
import type { ObjectsStep } from '../../src/engine/steps/objects.ts';
import type { ReleaseStep } from '../../src/engine/steps/release.ts';
import type { SecretStep } from '../../src/engine/steps/secret.ts';
import type { ApplyContext, Observation } from '../../src/engine/steps/types.ts';
import { retryPods } from '../../src/engine/steps/pods.ts';
import { waitReady } from '../../src/engine/steps/readiness.ts';
import { type FakeCluster, NS, fakeCluster, contextOf, applyStep } from './support/cluster.ts';
import { quickstart, without } from './support/config.ts';

afterEach(() => void vi.useRealTimers());

const plan = buildPlan(quickstart());
const step = <T extends Step>(id: string): T => plan.find((candidate) => candidate.id === id) as T;
const observed = (cluster: FakeCluster, id: string, options = {}): Promise<Observation> =>
  observe(step(id), { kube: cluster.kube, helm: cluster.helm, charts: cluster.charts, namespace: NS }, options);
const loki = step<ReleaseStep>('release/loki');
const workload = loki.workloads[0]!;
const secret = step<SecretStep>('secret/grafana-admin');

async function installed(): Promise<FakeCluster> {
  const cluster = fakeCluster();
  await cluster.helm.upgrade(loki, '', loki.values);
  return cluster;
}

describe('the state of a release', () => {
  it('is absent when the release does not exist; --diff lists what would be created', async () => {
    const cluster = fakeCluster();
    expect(await observed(cluster, 'release/loki')).toEqual({ state: 'absent', changes: [] });
    expect(
      (await observed(cluster, 'release/loki', { diff: true })).changes.map(
        ({ ref, action }) => `${action} ${ref.kind}/${ref.name}`,
      ),
    ).toEqual(['create StatefulSet/loki', 'create ConfigMap/loki', `create ClusterRole/${NS}-loki`]);
  });

  it('is done when the release matches the plan', async () => {
    expect(await observed(await installed(), 'release/loki')).toEqual({ state: 'done', changes: [] });
  });

  it.each(['pending-install', 'pending-upgrade', 'pending-rollback', 'uninstalling'])(
    'is stuck when helm reports %s, and names the revision',
    async (status) => {
      const cluster = await installed();
      cluster.record('loki', status, 2, loki.values);
      expect(await observed(cluster, 'release/loki')).toEqual({
        state: 'stuck',
        changes: [],
        detail: `helm was interrupted: revision 2 is ${status}`,
      });
    },
  );

  it.each(['failed', 'superseded', 'unknown'])('is drifted when helm reports %s', async (status) => {
    const cluster = fakeCluster();
    cluster.record('loki', status, 1, loki.values);
    expect(await observed(cluster, 'release/loki')).toMatchObject({
      state: 'drifted',
      detail: `helm reports ${status}`,
    });
  });

  it('is absent when the release was uninstalled with its history kept', async () => {
    const cluster = fakeCluster();
    cluster.record('loki', 'uninstalled', 1, loki.values);
    expect((await observed(cluster, 'release/loki')).state).toBe('absent');
  });

  it('is drifted when the values differ', async () => {
    const cluster = fakeCluster();
    await cluster.helm.upgrade(loki, '', { ...loki.values, image: 'old' });
    expect(await observed(cluster, 'release/loki')).toMatchObject({ state: 'drifted', detail: 'its values changed' });
  });

  it('comes from the newest revision: revision 10 is newer than 9', async () => {
    const cluster = await installed();
    cluster.record('loki', 'superseded', 9, loki.values);
    cluster.record('loki', 'deployed', 10, loki.values);
    expect((await observed(cluster, 'release/loki')).state).toBe('done');
  });

  it('is drifted when an object was changed or deleted, and names the object', async () => {
    const cluster = await installed();
    cluster.put({ ...cluster.get('ConfigMap', 'loki')!, data: { 'config.yaml': 'b: 2' } });
    expect(await observed(cluster, 'release/loki')).toMatchObject({
      state: 'drifted',
      changes: [
        {
          ref: { kind: 'ConfigMap', name: 'loki' },
          action: 'change',
          changes: [{ path: 'data.config.yaml', from: 'b: 2', to: 'a: 1' }],
        },
      ],
    });
    await cluster.kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace: NS, name: 'loki' });
    expect(await observed(cluster, 'release/loki')).toMatchObject({
      state: 'drifted',
      changes: [{ ref: { kind: 'ConfigMap' }, action: 'create' }],
    });
  });

  it('is unready when only pods are not ready, so that helm need not run again', async () => {
    const cluster = await installed();
    cluster.put({ ...cluster.get('StatefulSet', 'loki')!, status: { observedGeneration: 1, replicas: 1 } });
    expect(await observed(cluster, 'release/loki')).toEqual({ state: 'unready', changes: [], detail: '0 of 1 ready' });
  });

  it('is an error, never absent, when helm records cannot be listed', async () => {
    const cluster = await installed();
    cluster.before = (operation) => {
      if (operation === 'list Secret') throw new KubeError(403, 'Forbidden', 'no');
    };
    await expect(observed(cluster, 'release/loki')).rejects.toThrow('no');
  });
});

describe('the state of objects that genai-obs applies', () => {
  it('is absent before they are applied, done afterwards, and drifted after an edit', async () => {
    const cluster = fakeCluster();
    const rules = step<ObjectsStep>('rules');
    expect((await observed(cluster, 'rules')).state).toBe('absent');
    await cluster.kube.apply(rules.objects);
    expect(await observed(cluster, 'rules')).toEqual({ state: 'done', changes: [] });
    const live = cluster.get('ConfigMap', 'prometheus-rules')!;
    cluster.put({ ...live, data: { ...(live['data'] as object), 'prices-and-budget.yaml': 'gone' } });
    expect(await observed(cluster, 'rules')).toMatchObject({
      state: 'drifted',
      changes: [{ action: 'change', changes: [{ path: 'data.prices-and-budget.yaml', from: 'gone' }] }],
    });
  });

  it('is absent when one of two objects is missing', async () => {
    const cluster = fakeCluster();
    await cluster.kube.apply(step<ObjectsStep>('dashboards').objects.slice(1));
    expect(await observed(cluster, 'dashboards')).toMatchObject({
      state: 'absent',
      changes: [{ ref: { name: 'genai-dashboards' }, action: 'create' }],
    });
  });

  it('is drifted when a dashboard is stale, and ignores keys that others added', async () => {
    const cluster = fakeCluster();
    await cluster.kube.apply(step<ObjectsStep>('dashboards').objects);
    const live = cluster.get('ConfigMap', 'genai-dashboards')!;
    cluster.put({ ...live, data: { ...(live['data'] as object), 'theirs.json': '{}' } });
    expect((await observed(cluster, 'dashboards')).state).toBe('done');
    const fewer = buildPlan(without(['loki'])).find((candidate) => candidate.id === 'dashboards')!;
    const seen = await observe(fewer, {
      kube: cluster.kube,
      helm: cluster.helm,
      charts: cluster.charts,
      namespace: NS,
    });
    expect(seen.changes.flatMap((change) => change.changes)).toContainEqual({
      path: 'data.log-explorer.json',
      from: '(there)',
      to: '(absent)',
    });
    expect(JSON.stringify(seen)).not.toContain('theirs.json');
  });

  it('is done when a PersistentVolumeClaim was enlarged', async () => {
    const cluster = fakeCluster();
    const [claim] = step<ObjectsStep>('claim/loki-data').objects;
    cluster.put({ ...claim!, spec: { resources: { requests: { storage: '100Gi' } } } });
    expect((await observed(cluster, 'claim/loki-data')).state).toBe('done');
  });

  it('is done when the namespace exists, even without our labels', async () => {
    const cluster = fakeCluster();
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } });
    expect((await observed(cluster, 'namespace')).state).toBe('done');
  });
});

describe('the Grafana Secret', () => {
  const data = (cluster: FakeCluster): Record<string, string> =>
    cluster.get('Secret', 'grafana-admin')?.['data'] as Record<string, string>;

  it('is created once, with a random password and a fixed user name', async () => {
    const [one, two] = [fakeCluster(), fakeCluster()];
    await applyStep(secret, contextOf(one));
    await applyStep(secret, contextOf(two));
    expect(Buffer.from(data(one)['admin-user'] ?? '', 'base64').toString()).toBe('admin');
    expect(data(one)['admin-password']).not.toBe(data(two)['admin-password']);
    expect(await observed(one, 'secret/grafana-admin')).toEqual({ state: 'done', changes: [] });
  });

  it('is never overwritten: only missing keys are added', async () => {
    const cluster = fakeCluster();
    cluster.put({
      ...secret.object,
      metadata: { name: 'grafana-admin', namespace: NS, labels: { owner: 'vault' } },
      data: { 'admin-password': 'bXktb3du', other: 'eA==' },
    });
    const seen = await observed(cluster, 'secret/grafana-admin');
    expect(seen).toMatchObject({ state: 'drifted', changes: [{ changes: [{ path: 'data.admin-user' }] }] });
    expect(JSON.stringify(seen)).not.toContain('bXktb3du');
    await applyStep(secret, contextOf(cluster));
    expect(data(cluster)).toEqual({ 'admin-password': 'bXktb3du', other: 'eA==', 'admin-user': 'YWRtaW4=' });
    expect(cluster.get('Secret', 'grafana-admin')?.metadata.labels).toEqual({ owner: 'vault' });
  });

  it('fails with a conflict instead of overwriting a concurrent change', async () => {
    const cluster = fakeCluster();
    cluster.put({ ...secret.object, data: { 'admin-user': 'YWRtaW4=' } });
    cluster.before = (operation) => {
      if (operation !== 'replace Secret/grafana-admin') return;
      cluster.before = () => {};
      cluster.put({ ...secret.object, data: { 'admin-user': 'YWRtaW4=', 'admin-password': 'dGhlaXJz' } });
    };
    await expect(applyStep(secret, contextOf(cluster))).rejects.toMatchObject({ status: 409 });
    expect(data(cluster)['admin-password']).toBe('dGhlaXJz');
  });
});

describe('an upgrade that helm refuses', () => {
  const absent: Observation = { state: 'absent', changes: [] };
  const service = (owner: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'loki', namespace: NS, labels: { 'app.kubernetes.io/part-of': owner } },
  });
  /** A helm whose first `times` upgrades fail with this cause. */
  const refusing = (cluster: FakeCluster, cause: string, times: number): ApplyContext['helm'] => ({
    ...cluster.helm,
    upgrade: (...args) =>
      times-- > 0
        ? Promise.reject(new ObsError({ what: 'helm could not apply a release', cause }))
        : cluster.helm.upgrade(...args),
  });

  it.each([
    [
      'Helm 3',
      'Error: UPGRADE FAILED: cannot patch "loki" with kind Service: Service "loki" is invalid: ' +
        'spec.ports[2].name: Duplicate value: "http"',
    ],
    [
      'Helm 4',
      `Error: UPGRADE FAILED: server-side apply failed for object ${NS}/loki /v1, Kind=Service: ` +
        `Service "loki" is invalid`,
    ],
  ])('deletes and recreates an object without data that cannot be patched (%s)', async (_name, cause) => {
    const cluster = fakeCluster();
    cluster.put(service('genai-obs'));
    await applyStep(loki, contextOf(cluster, { helm: refusing(cluster, cause, 1) }), { seen: absent });
    expect(cluster.calls).toEqual(['remove Service/loki', 'helm upgrade loki']);
  });

  it.each([
    ['a Service of another owner', 'cannot patch "loki" with kind Service: invalid', 'somebody-else'],
    ['a workload', 'cannot patch "loki" with kind StatefulSet: Forbidden: updates to statefulset spec', 'genai-obs'],
    ['a broken chart', 'Error: template: no such function', 'genai-obs'],
  ])('reports the error of helm and deletes nothing: %s', async (_name, cause, owner) => {
    const cluster = fakeCluster();
    cluster.put(service(owner));
    await expect(
      applyStep(loki, contextOf(cluster, { helm: refusing(cluster, cause, 9) }), { seen: absent }),
    ).rejects.toMatchObject({ parts: { cause } });
    expect(cluster.calls).toEqual([]);
  });

  it('tries at most three times while another helm operation is in progress', async () => {
    const cluster = fakeCluster();
    const cause = 'Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress';
    await applyStep(loki, contextOf(cluster, { helm: refusing(cluster, cause, 2) }), { seen: absent });
    expect(cluster.calls).toEqual(['helm upgrade loki']);
    await expect(
      applyStep(loki, contextOf(cluster, { helm: refusing(cluster, cause, 3) }), { seen: absent }),
    ).rejects.toMatchObject({ parts: { cause } });
  });
});

describe('a release that a crash left pending', () => {
  const recover = async (cluster: FakeCluster, seen: Observation): Promise<string[]> => {
    vi.useFakeTimers();
    const reported: string[] = [];
    const work = applyStep(loki, contextOf(cluster), { seen: seen, report: (detail) => reported.push(detail) });
    work.catch(() => {});
    await vi.advanceTimersByTimeAsync(15_000);
    await work;
    return reported;
  };

  it('deletes only the pending record of a first install, then runs helm upgrade', async () => {
    const cluster = fakeCluster();
    cluster.record('loki', 'pending-install', 1, loki.values);
    const reported = await recover(cluster, await observed(cluster, 'release/loki'));
    expect(cluster.calls).toEqual(['remove Secret/sh.helm.release.v1.loki.v1', 'helm upgrade loki']);
    expect(reported).toContain('deleting the unfinished record sh.helm.release.v1.loki.v1; objects and data stay');
    expect((await observed(cluster, 'release/loki')).state).toBe('done');
  });

  it('deletes only the pending record of an upgrade, and keeps the previous revision and all objects', async () => {
    const cluster = await installed();
    cluster.record('loki', 'pending-upgrade', 2, loki.values);
    await recover(cluster, await observed(cluster, 'release/loki'));
    expect(cluster.calls.filter((call) => call.startsWith('remove'))).toEqual([
      'remove Secret/sh.helm.release.v1.loki.v2',
    ]);
    expect(cluster.get('Secret', 'sh.helm.release.v1.loki.v1')).toBeDefined();
  });

  it('waits for a helm that is still running, and deletes nothing', async () => {
    const cluster = await installed();
    cluster.record('loki', 'pending-upgrade', 2, loki.values);
    const seen = await observed(cluster, 'release/loki');
    let reads = 0;
    cluster.before = (operation) => {
      if (operation === 'list Secret' && ++reads === 3) cluster.record('loki', 'deployed', 2, loki.values);
    };
    await recover(cluster, seen);
    expect(cluster.calls.filter((call) => call.startsWith('remove'))).toEqual([]);
  });
});

describe('waiting for a workload', () => {
  const unready = async (
    status: object,
    over: Partial<ApplyContext> = {},
  ): Promise<{ error: unknown; reported: string[]; cluster: FakeCluster }> => {
    vi.useFakeTimers();
    const cluster = await installed();
    cluster.put({ ...cluster.get('StatefulSet', 'loki')!, status: { observedGeneration: 1, replicas: 1 } });
    cluster.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'loki-0', namespace: NS, labels: { app: 'loki' } },
      status,
    });
    const reported: string[] = [];
    const work = waitReady(workload, contextOf(cluster, over), (detail) => reported.push(detail)).then(
      () => undefined,
      (error: unknown) => error,
    );
    await vi.advanceTimersByTimeAsync(400_000);
    return { error: await work, reported, cluster };
  };

  it('fails after the timeout, and reports what it waited for', async () => {
    const { error, reported } = await unready(
      {
        phase: 'Running',
        containerStatuses: [{ name: 'loki', image: 'i', ready: false, restartCount: 0, state: { running: {} } }],
      },
      { timeout: 300_000 },
    );
    expect(error).toMatchObject({
      parts: {
        what: 'a workload did not become ready within 300 s',
        object: `StatefulSet ${NS}/loki`,
        cause: '0 of 1 ready: loki-0 is running but not ready yet',
      },
    });
    expect(reported).toEqual(['0 of 1 ready: loki-0 is running but not ready yet']);
  });

  it('fails early on an error that does not resolve itself', async () => {
    const { error } = await unready(
      {
        phase: 'Pending',
        containerStatuses: [
          {
            name: 'loki',
            image: 'i',
            ready: false,
            restartCount: 0,
            state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } },
          },
        ],
      },
      { timeout: 300_000 },
    );
    expect(error).toMatchObject({
      parts: {
        what: 'a workload cannot start',
        cause: 'the image i of loki-0 cannot be pulled: not found',
        next: expect.stringContaining('it resumes') as string,
      },
    });
  });

  it.each([
    ['is recreated', { waiting: { reason: 'ImagePullBackOff' } }, 0, ['remove Pod/loki-0']],
    ['is recreated between two pulls as well', { waiting: { reason: 'ErrImagePull' } }, 0, ['remove Pod/loki-0']],
    ['is kept when it has run before', { waiting: { reason: 'ImagePullBackOff' } }, 1, []],
    ['is kept while it pulls the image', { waiting: { reason: 'ContainerCreating' } }, 0, []],
  ])('a pod whose image pull failed in an earlier run %s', async (_name, state, restartCount, calls) => {
    const cluster = await installed();
    const status = {
      phase: 'Pending',
      containerStatuses: [{ name: 'loki', image: 'i', ready: false, restartCount, state }],
    };
    cluster.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'loki-0', namespace: NS, labels: { app: 'loki' } },
      status,
    });
    const before = cluster.calls.length;
    await retryPods(cluster.kube, workload);
    expect(cluster.calls.slice(before)).toEqual(calls);
  });

  it('retries while the API server is busy, and fails when it denies access', async () => {
    vi.useFakeTimers();
    const cluster = await installed();
    let reads = 0;
    cluster.before = () => {
      if (++reads < 3) throw new KubeError(reads === 1 ? 0 : 503, 'Unavailable', 'busy');
    };
    const reported: string[] = [];
    const work = waitReady(workload, contextOf(cluster), (detail) => reported.push(detail));
    await vi.advanceTimersByTimeAsync(5_000);
    await work;
    expect(reported).toEqual(['the API server does not answer: busy']);
    cluster.before = () => {
      throw new KubeError(403, 'Forbidden', 'no');
    };
    await expect(waitReady(workload, contextOf(cluster), () => {})).rejects.toThrow('no');
  });
});

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
const look = (cluster: FakeCluster, id: string, options = {}): Promise<Observation> =>
  observe(step(id), { kube: cluster.kube, helm: cluster.helm, charts: cluster.charts, namespace: NS }, options);
const loki = step<ReleaseStep>('release/loki');
const workload = loki.workloads[0]!;
const secret = step<SecretStep>('secret/grafana-admin');

async function installed(): Promise<FakeCluster> {
  const cluster = fakeCluster();
  await cluster.helm.upgrade(loki, '', loki.values);
  return cluster;
}

describe('a release', () => {
  it('that is not there is absent; --diff says what it would create', async () => {
    const cluster = fakeCluster();
    expect(await look(cluster, 'release/loki')).toEqual({ state: 'absent', changes: [] });
    expect(
      (await look(cluster, 'release/loki', { diff: true })).changes.map(
        ({ ref, action }) => `${action} ${ref.kind}/${ref.name}`,
      ),
    ).toEqual(['create StatefulSet/loki', 'create ConfigMap/loki', `create ClusterRole/${NS}-loki`]);
  });

  it('as it should be is done', async () => {
    expect(await look(await installed(), 'release/loki')).toEqual({ state: 'done', changes: [] });
  });

  it.each(['pending-install', 'pending-upgrade', 'pending-rollback', 'uninstalling'])(
    '%s is stuck, and says which revision',
    async (status) => {
      const cluster = await installed();
      cluster.record('loki', status, 2, loki.values);
      expect(await look(cluster, 'release/loki')).toEqual({
        state: 'stuck',
        changes: [],
        detail: `helm was interrupted: revision 2 is ${status}`,
      });
    },
  );

  it.each(['failed', 'superseded', 'unknown'])('%s has drifted', async (status) => {
    const cluster = fakeCluster();
    cluster.record('loki', status, 1, loki.values);
    expect(await look(cluster, 'release/loki')).toMatchObject({ state: 'drifted', detail: `helm reports ${status}` });
  });

  it('uninstalled with its history kept is absent', async () => {
    const cluster = fakeCluster();
    cluster.record('loki', 'uninstalled', 1, loki.values);
    expect((await look(cluster, 'release/loki')).state).toBe('absent');
  });

  it('with other values has drifted', async () => {
    const cluster = fakeCluster();
    await cluster.helm.upgrade(loki, '', { ...loki.values, image: 'old' });
    expect(await look(cluster, 'release/loki')).toMatchObject({ state: 'drifted', detail: 'its values changed' });
  });

  it('is judged by its newest revision, the tenth after the ninth', async () => {
    const cluster = await installed();
    cluster.record('loki', 'superseded', 9, loki.values);
    cluster.record('loki', 'deployed', 10, loki.values);
    expect((await look(cluster, 'release/loki')).state).toBe('done');
  });

  it('with a changed or deleted object has drifted, and names it', async () => {
    const cluster = await installed();
    cluster.put({ ...cluster.get('ConfigMap', 'loki')!, data: { 'config.yaml': 'b: 2' } });
    expect(await look(cluster, 'release/loki')).toMatchObject({
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
    expect(await look(cluster, 'release/loki')).toMatchObject({
      state: 'drifted',
      changes: [{ ref: { kind: 'ConfigMap' }, action: 'create' }],
    });
  });

  it('whose pods are not ready is unready: helm need not run again', async () => {
    const cluster = await installed();
    cluster.put({ ...cluster.get('StatefulSet', 'loki')!, status: { observedGeneration: 1, replicas: 1 } });
    expect(await look(cluster, 'release/loki')).toEqual({ state: 'unready', changes: [], detail: '0 of 1 ready' });
  });

  it('whose record cannot be listed is an error, never absent', async () => {
    const cluster = await installed();
    cluster.before = (operation) => {
      if (operation === 'list Secret') throw new KubeError(403, 'Forbidden', 'no');
    };
    await expect(look(cluster, 'release/loki')).rejects.toThrow('no');
  });
});

describe('objects of ours', () => {
  it('are absent, done, drifted', async () => {
    const cluster = fakeCluster();
    const rules = step<ObjectsStep>('rules');
    expect((await look(cluster, 'rules')).state).toBe('absent');
    await cluster.kube.apply(rules.objects);
    expect(await look(cluster, 'rules')).toEqual({ state: 'done', changes: [] });
    const live = cluster.get('ConfigMap', 'prometheus-rules')!;
    cluster.put({ ...live, data: { ...(live['data'] as object), 'prices-and-budget.yaml': 'gone' } });
    expect(await look(cluster, 'rules')).toMatchObject({
      state: 'drifted',
      changes: [{ action: 'change', changes: [{ path: 'data.prices-and-budget.yaml', from: 'gone' }] }],
    });
  });

  it('one missing of two is absent', async () => {
    const cluster = fakeCluster();
    await cluster.kube.apply(step<ObjectsStep>('dashboards').objects.slice(1));
    expect(await look(cluster, 'dashboards')).toMatchObject({
      state: 'absent',
      changes: [{ ref: { name: 'genai-dashboards' }, action: 'create' }],
    });
  });

  it('with a dashboard that is wanted no more have drifted; what others added is theirs', async () => {
    const cluster = fakeCluster();
    await cluster.kube.apply(step<ObjectsStep>('dashboards').objects);
    const live = cluster.get('ConfigMap', 'genai-dashboards')!;
    cluster.put({ ...live, data: { ...(live['data'] as object), 'theirs.json': '{}' } });
    expect((await look(cluster, 'dashboards')).state).toBe('done');
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

  it('a claim that has grown since is left alone', async () => {
    const cluster = fakeCluster();
    const [claim] = step<ObjectsStep>('claim/loki-data').objects;
    cluster.put({ ...claim!, spec: { resources: { requests: { storage: '100Gi' } } } });
    expect((await look(cluster, 'claim/loki-data')).state).toBe('done');
  });

  it('a namespace of somebody else is as good as ours', async () => {
    const cluster = fakeCluster();
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } });
    expect((await look(cluster, 'namespace')).state).toBe('done');
  });
});

describe('the secret', () => {
  const data = (cluster: FakeCluster): Record<string, string> =>
    cluster.get('Secret', 'grafana-admin')?.['data'] as Record<string, string>;

  it('is made once, random, with its fixed keys', async () => {
    const [one, two] = [fakeCluster(), fakeCluster()];
    await applyStep(secret, contextOf(one));
    await applyStep(secret, contextOf(two));
    expect(Buffer.from(data(one)['admin-user'] ?? '', 'base64').toString()).toBe('admin');
    expect(data(one)['admin-password']).not.toBe(data(two)['admin-password']);
    expect(await look(one, 'secret/grafana-admin')).toEqual({ state: 'done', changes: [] });
  });

  it('is never overwritten; only missing keys are added', async () => {
    const cluster = fakeCluster();
    cluster.put({
      ...secret.object,
      metadata: { name: 'grafana-admin', namespace: NS, labels: { owner: 'vault' } },
      data: { 'admin-password': 'bXktb3du', other: 'eA==' },
    });
    const seen = await look(cluster, 'secret/grafana-admin');
    expect(seen).toMatchObject({ state: 'drifted', changes: [{ changes: [{ path: 'data.admin-user' }] }] });
    expect(JSON.stringify(seen)).not.toContain('bXktb3du');
    await applyStep(secret, contextOf(cluster));
    expect(data(cluster)).toEqual({ 'admin-password': 'bXktb3du', other: 'eA==', 'admin-user': 'YWRtaW4=' });
    expect(cluster.get('Secret', 'grafana-admin')?.metadata.labels).toEqual({ owner: 'vault' });
  });

  it('loses a race against somebody who changes it, instead of undoing that', async () => {
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

describe('helm refuses', () => {
  const absent: Observation = { state: 'absent', changes: [] };
  const service = (owner: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'loki', namespace: NS, labels: { 'app.kubernetes.io/part-of': owner } },
  });
  /** helm reports this, so often, before it goes on. */
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
      'Error: UPGRADE FAILED: cannot patch "loki" with kind Service: Service "loki" is invalid: spec.ports[2].name: Duplicate value: "http"',
    ],
    [
      'Helm 4',
      `Error: UPGRADE FAILED: server-side apply failed for object ${NS}/loki /v1, Kind=Service: Service "loki" is invalid`,
    ],
  ])('to patch what holds no data (%s): it is made anew', async (_name, cause) => {
    const cluster = fakeCluster();
    cluster.put(service('genai-obs'));
    await applyStep(loki, contextOf(cluster, { helm: refusing(cluster, cause, 1) }), { seen: absent });
    expect(cluster.calls).toEqual(['remove Service/loki', 'helm upgrade loki']);
  });

  it.each([
    ["somebody else's Service", 'cannot patch "loki" with kind Service: invalid', 'somebody-else'],
    ['a workload', 'cannot patch "loki" with kind StatefulSet: Forbidden: updates to statefulset spec', 'genai-obs'],
    ['a chart that is wrong', 'Error: template: no such function', 'genai-obs'],
  ])('%s: the refusal is told, and nothing is removed', async (_name, cause, owner) => {
    const cluster = fakeCluster();
    cluster.put(service(owner));
    await expect(
      applyStep(loki, contextOf(cluster, { helm: refusing(cluster, cause, 9) }), { seen: absent }),
    ).rejects.toMatchObject({ parts: { cause } });
    expect(cluster.calls).toEqual([]);
  });

  it('because another helm came in between: it is tried again, three times at most', async () => {
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
    const told: string[] = [];
    const work = applyStep(loki, contextOf(cluster), { seen: seen, report: (detail) => told.push(detail) });
    work.catch(() => {});
    await vi.advanceTimersByTimeAsync(15_000);
    await work;
    return told;
  };

  it('on its first install: only the record is dropped, then helm goes on', async () => {
    const cluster = fakeCluster();
    cluster.record('loki', 'pending-install', 1, loki.values);
    const told = await recover(cluster, await look(cluster, 'release/loki'));
    expect(cluster.calls).toEqual(['remove Secret/sh.helm.release.v1.loki.v1', 'helm upgrade loki']);
    expect(told).toContain('deleting the unfinished record sh.helm.release.v1.loki.v1; objects and data stay');
    expect((await look(cluster, 'release/loki')).state).toBe('done');
  });

  it('on an upgrade: the revision before stays, and so do all objects', async () => {
    const cluster = await installed();
    cluster.record('loki', 'pending-upgrade', 2, loki.values);
    await recover(cluster, await look(cluster, 'release/loki'));
    expect(cluster.calls.filter((call) => call.startsWith('remove'))).toEqual([
      'remove Secret/sh.helm.release.v1.loki.v2',
    ]);
    expect(cluster.get('Secret', 'sh.helm.release.v1.loki.v1')).toBeDefined();
  });

  it('by a helm that still runs: waits for it, and drops nothing', async () => {
    const cluster = await installed();
    cluster.record('loki', 'pending-upgrade', 2, loki.values);
    const seen = await look(cluster, 'release/loki');
    let looks = 0;
    cluster.before = (operation) => {
      if (operation === 'list Secret' && ++looks === 3) cluster.record('loki', 'deployed', 2, loki.values);
    };
    await recover(cluster, seen);
    expect(cluster.calls.filter((call) => call.startsWith('remove'))).toEqual([]);
  });
});

describe('waiting for a workload', () => {
  const unready = async (
    status: object,
    over: Partial<ApplyContext> = {},
  ): Promise<{ error: unknown; told: string[]; cluster: FakeCluster }> => {
    vi.useFakeTimers();
    const cluster = await installed();
    cluster.put({ ...cluster.get('StatefulSet', 'loki')!, status: { observedGeneration: 1, replicas: 1 } });
    cluster.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'loki-0', namespace: NS, labels: { app: 'loki' } },
      status,
    });
    const told: string[] = [];
    const work = waitReady(workload, contextOf(cluster, over), (detail) => told.push(detail)).then(
      () => undefined,
      (error: unknown) => error,
    );
    await vi.advanceTimersByTimeAsync(400_000);
    return { error: await work, told, cluster };
  };

  it('gives up when it takes too long, and says on what it waited', async () => {
    const { error, told } = await unready(
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
    expect(told).toEqual(['0 of 1 ready: loki-0 is running but not ready yet']);
  });

  it('gives up early on what does not resolve itself', async () => {
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
    ['is made anew', { waiting: { reason: 'ImagePullBackOff' } }, 0, ['remove Pod/loki-0']],
    ['is made anew between two pulls, too', { waiting: { reason: 'ErrImagePull' } }, 0, ['remove Pod/loki-0']],
    ['is left alone when it has run before', { waiting: { reason: 'ImagePullBackOff' } }, 1, []],
    ['is left alone while it pulls', { waiting: { reason: 'ContainerCreating' } }, 0, []],
  ])('a pod whose image could not be pulled in an earlier attempt %s', async (_name, state, restartCount, calls) => {
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

  it('does not give up because the API server is busy, and does because it says no', async () => {
    vi.useFakeTimers();
    const cluster = await installed();
    let looks = 0;
    cluster.before = () => {
      if (++looks < 3) throw new KubeError(looks === 1 ? 0 : 503, 'Unavailable', 'busy');
    };
    const told: string[] = [];
    const work = waitReady(workload, contextOf(cluster), (detail) => told.push(detail));
    await vi.advanceTimersByTimeAsync(5_000);
    await work;
    expect(told).toEqual(['the API server does not answer: busy']);
    cluster.before = () => {
      throw new KubeError(403, 'Forbidden', 'no');
    };
    await expect(waitReady(workload, contextOf(cluster), () => {})).rejects.toThrow('no');
  });
});

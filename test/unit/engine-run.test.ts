import { describe, expect, it, vi } from 'vitest';
import { KubeError } from '../../src/adapters/kube.ts';
import { ObsError } from '../../src/core/errors.ts';
import { readJournal } from '../../src/engine/state/journal.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import type { ObjectsStep } from '../../src/engine/steps/objects.ts';
import { type FakeCluster, NS, fakeCluster } from './support/cluster.ts';
import { quickstart } from './support/config.ts';
import { session } from './support/engine.ts';

const config = quickstart();
const plan = buildPlan(config);
const writes = (cluster: FakeCluster): string[] => cluster.calls.filter((call) => !call.includes('genai-obs-journal'));
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** A small plan: a → b → d, a → c → d. */
function diamond(): Step[] {
  const step = (id: string, needs: string[]): ObjectsStep => ({
    kind: 'objects',
    id,
    phase: id === 'namespace' ? 'namespaces' : 'storage',
    title: id,
    needs,
    objects: [
      id === 'namespace'
        ? { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } }
        : { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: id, namespace: NS }, data: { a: '1' } },
    ],
  });
  return [step('namespace', []), step('b', ['namespace']), step('c', ['namespace']), step('d', ['b', 'c'])];
}

describe('the first run', () => {
  it('applies every step once, after the steps it needs, and verifies at the end', async () => {
    const cluster = fakeCluster();
    const gates: string[] = [];
    const run = await session(cluster, config, plan, { gate: (step) => Promise.resolve(void gates.push(step.id)) });
    const { applied, unchanged } = await run.result;
    expect([...applied, ...unchanged].toSorted()).toEqual(plan.map((step) => step.id).toSorted());
    expect(unchanged).toEqual(['preflight', 'removal/releases']);
    expect(gates).toEqual(['preflight', 'verify']);
    const order = run.events.flatMap((event) =>
      event.type === 'start' || event.type === 'done' ? [`${event.type} ${event.id}`] : [],
    );
    for (const step of plan)
      for (const need of step.needs)
        expect(order.indexOf(`done ${need}`), `${need} before ${step.id}`).toBeLessThan(
          order.indexOf(`start ${step.id}`),
        );
  });

  it('installs releases in parallel: starts all of them before any is ready', async () => {
    const cluster = fakeCluster();
    const { status } = cluster;
    cluster.status = () => ({});
    const run = await session(cluster, config, plan);
    await vi.waitFor(() => expect(cluster.calls.filter((call) => call.startsWith('helm upgrade'))).toHaveLength(9));
    expect(run.of('done').filter((id) => id.startsWith('release/'))).toEqual([]);
    for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet'])
      for (const workload of cluster.all(kind)) cluster.put({ ...workload, status: status(workload) });
    await run.result;
  });

  it('takes the lock after it creates the namespace and before any other change', async () => {
    const cluster = fakeCluster();
    let before: string[] = [];
    const run = await session(cluster, config, plan, {
      context: { enter: () => Promise.resolve(void (before = [...cluster.calls])) },
    });
    await run.result;
    expect(before).toEqual([`apply Namespace/${NS}`]);
  });

  it('leaves an existing namespace unchanged', async () => {
    const cluster = fakeCluster();
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels: { owner: 'somebody' } } });
    await (
      await session(cluster, config, plan)
    ).result;
    expect(cluster.get('Namespace', NS)?.metadata.labels).toEqual({ owner: 'somebody' });
    expect(cluster.calls).not.toContain(`apply Namespace/${NS}`);
  });
});

describe('a second run', () => {
  it('writes nothing and does not verify again when nothing has changed', async () => {
    const cluster = fakeCluster();
    const first = await session(cluster, config, plan);
    await first.result;
    const before = cluster.calls.length;
    const gate = vi.fn(() => Promise.resolve());
    const journal = await readJournal(cluster.kube, NS);
    const second = await session(cluster, config, plan, { gate, ...(journal ? { journal } : {}) });
    expect((await second.result).applied).toEqual([]);
    // Every run writes the namespace step to the journal, as proof that it took the lock.
    expect(cluster.calls.slice(before).filter((call) => call !== 'replace ConfigMap/genai-obs-journal')).toEqual([]);
    expect(gate.mock.calls.flat().filter((step) => (step as { id?: string }).id === 'verify')).toEqual([]);
  });

  it('fixes only what has drifted, and verifies', async () => {
    const cluster = fakeCluster();
    const { result, journal } = await session(cluster, config, plan);
    await result;
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'loki', namespace: NS },
      data: { 'config.yaml': 'tampered' },
    });
    const second = await session(cluster, config, plan, { journal });
    expect((await second.result).applied).toEqual(['release/loki', 'verify']);
    // Its pods may have started with the edited ConfigMap.
    expect(cluster.calls).toContain(`kubectl rollout restart statefulset/loki --namespace ${NS}`);
  });

  it('restarts only the workloads that read an edited ConfigMap at startup', async () => {
    const cluster = fakeCluster();
    const { result, journal } = await session(cluster, config, plan);
    await result;
    for (const name of ['prometheus-rules', 'grafana-datasources', 'genai-dashboards'])
      cluster.put({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: NS, labels: { 'app.kubernetes.io/part-of': 'genai-obs' } },
        data: { a: 'tampered' },
      });
    const second = await session(cluster, config, plan, { journal });
    expect((await second.result).applied.toSorted()).toEqual([
      'dashboards',
      'datasources',
      'release/grafana',
      'release/prometheus',
      'rules',
      'verify',
    ]);
    expect(cluster.calls.filter((call) => call.includes('rollout restart')).toSorted()).toEqual([
      `kubectl rollout restart statefulset/grafana --namespace ${NS}`,
      `kubectl rollout restart statefulset/prometheus-server --namespace ${NS}`,
    ]);
    expect((await (await session(cluster, config, plan, { journal })).result).applied).toEqual([]);
  });

  it('refuses an existing object of another owner under a name of ours, before anything changes', async () => {
    const cluster = fakeCluster();
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'prometheus-rules', namespace: NS },
      data: { theirs: 'yes' },
    });
    const { result } = await session(cluster, config, plan);
    await expect(result).rejects.toMatchObject({ parts: { object: `ConfigMap ${NS}/prometheus-rules` } });
    expect(writes(cluster)).toEqual([]);
  });

  it('applies only the steps whose inputs changed', async () => {
    const cluster = fakeCluster();
    const { result, journal } = await session(cluster, config, plan);
    await result;
    const changed = quickstart({ loki: { retention: '30d' } });
    const second = await session(cluster, changed, buildPlan(changed), { journal });
    expect((await second.result).applied).toEqual(['release/loki', 'verify']);
  });

  it('upgrades no release again after the journal was lost', async () => {
    const cluster = fakeCluster();
    await (
      await session(cluster, config, plan)
    ).result;
    const before = cluster.calls.length;
    expect((await (await session(cluster, config, plan)).result).applied).toEqual(['verify']);
    expect(
      writes(cluster)
        .slice(before)
        .filter((call) => call.startsWith('helm')),
    ).toEqual([]);
  });
});

describe('failures', () => {
  it('a failed step lets running steps finish, starts no new ones, and is thrown and journaled', async () => {
    const cluster = fakeCluster();
    let finish: () => void = () => {};
    const slow = new Promise<void>((resolve) => (finish = resolve));
    cluster.before = (operation) => {
      if (operation === 'apply ConfigMap/b') throw new ObsError({ what: 'b is refused' });
      return operation === 'apply ConfigMap/c' ? slow : undefined;
    };
    const run = await session(cluster, config, diamond());
    await vi.waitFor(() => expect(run.of('failed')).toEqual(['b']));
    expect(run.of('done')).toEqual(['namespace']);
    finish();
    await expect(run.result).rejects.toThrow('b is refused');
    expect(run.of('done')).toEqual(['namespace', 'c']);
    expect(run.of('start')).not.toContain('d');
    expect(cluster.get('ConfigMap', 'd')).toBeUndefined();
    const journal = await readJournal(cluster.kube, NS);
    expect([journal?.steps['b']?.state, journal?.steps['c']?.state, journal?.steps['d']]).toEqual([
      'failed',
      'done',
      undefined,
    ]);
  });

  it('the next run applies the failed step and does not repeat finished ones', async () => {
    const cluster = fakeCluster();
    cluster.before = (operation) => {
      if (operation === 'helm upgrade tempo') throw new ObsError({ what: 'no' });
    };
    const first = await session(cluster, config, plan);
    await expect(first.result).rejects.toThrow('no');
    cluster.before = () => {};
    const before = cluster.calls.length;
    const { applied } = await (await session(cluster, config, plan, { journal: first.journal })).result;
    const again = cluster.calls.slice(before).filter((call) => call.startsWith('helm'));
    expect(again).toEqual(['helm upgrade tempo']);
    expect(applied).toEqual(['release/tempo', 'verify']);
  });

  it('a failed preflight changes nothing', async () => {
    const cluster = fakeCluster();
    const run = await session(cluster, config, plan, {
      gate: () => Promise.reject(new ObsError({ what: 'not ready' })),
    });
    await expect(run.result).rejects.toThrow('not ready');
    expect(cluster.calls).toEqual([]);
  });

  it('a failed read of the cluster is thrown before anything changes', async () => {
    const cluster = fakeCluster();
    cluster.before = (operation) => {
      if (operation === 'list Secret') throw new KubeError(403, 'Forbidden', 'secrets is forbidden');
    };
    await expect((await session(cluster, config, plan)).result).rejects.toThrow('secrets is forbidden');
    expect(cluster.calls).toEqual([]);
  });

  it('a lock held by another run stops the run before it changes anything but the namespace', async () => {
    const cluster = fakeCluster();
    const run = await session(cluster, config, plan, {
      context: { enter: () => Promise.reject(new ObsError({ what: 'held by another' })) },
    });
    await expect(run.result).rejects.toThrow('held by another');
    expect(cluster.calls).toEqual([`apply Namespace/${NS}`]);
  });

  it('a failed journal write is reported with its cause and the next command', async () => {
    const cluster = fakeCluster();
    const run = await session(cluster, config, diamond(), {
      context: { save: () => Promise.reject(new Error('etcd is full')) },
    });
    await expect(run.result).rejects.toMatchObject({
      parts: {
        what: 'the journal cannot be written',
        cause: 'etcd is full',
        next: expect.stringContaining('install again') as string,
      },
    });
  });
});

describe('an interrupted run', () => {
  it('starts no new steps and lets running ones finish', async () => {
    const cluster = fakeCluster();
    let finish: () => void = () => {};
    const slow = new Promise<void>((resolve) => (finish = resolve));
    cluster.before = (operation) =>
      operation === 'apply ConfigMap/b' || operation === 'apply ConfigMap/c' ? slow : undefined;
    const run = await session(cluster, config, diamond());
    await vi.waitFor(() => expect(cluster.calls).toContain('apply ConfigMap/c'));
    run.controller.abort();
    finish();
    await expect(run.result).rejects.toMatchObject({ exit: 130 });
    expect(run.of('done').toSorted()).toEqual(['b', 'c', 'namespace']);
    expect(run.of('start')).not.toContain('d');
  });

  it('stops waiting for a workload, and reports its name and status', async () => {
    const cluster = fakeCluster();
    cluster.status = (workload) =>
      workload.metadata.name === 'loki'
        ? {}
        : {
            observedGeneration: 1,
            replicas: 1,
            readyReplicas: 1,
            updatedReplicas: 1,
            desiredNumberScheduled: 1,
            numberReady: 1,
            updatedNumberScheduled: 1,
          };
    const run = await session(cluster, config, plan, {
      onEvent: (event, controller) =>
        event.type === 'progress' && event.detail.includes('0 of 1') && controller.abort(),
    });
    await expect(run.result).rejects.toMatchObject({
      exit: 130,
      parts: { object: `StatefulSet ${NS}/loki`, cause: '0 of 1 ready' },
    });
    expect(cluster.get('ConfigMap', 'genai-obs-journal')).toBeDefined();
  });
});

describe('excluded steps', () => {
  it('are reported as skipped and change nothing, and the steps that need them run', async () => {
    const cluster = fakeCluster();
    const run = await session(cluster, config, diamond(), { excluded: ['b'] });
    expect((await run.result).applied).toEqual(['namespace', 'c', 'd']);
    expect(run.events).toContainEqual({
      type: 'done',
      id: 'b',
      result: 'skipped',
      ms: 0,
      detail: 'skipped by a flag',
    });
    expect(cluster.get('ConfigMap', 'b')).toBeUndefined();
  });
});

describe('verification', () => {
  it('runs again in the next run after a failure, even when nothing has changed', async () => {
    const cluster = fakeCluster();
    const failing = await session(cluster, config, plan, {
      gate: (step) => (step.id === 'verify' ? Promise.reject(new ObsError({ what: 'no trace' })) : Promise.resolve()),
    });
    await expect(failing.result).rejects.toThrow('no trace');
    expect(failing.journal.steps['verify']?.state).toBe('failed');
    const second = await session(cluster, config, plan, { journal: failing.journal });
    expect((await second.result).applied).toEqual(['verify']);
    const third = await session(cluster, config, plan, { journal: second.journal });
    expect((await third.result).applied).toEqual([]);
  });

  it('runs in the next run when it was skipped', async () => {
    const cluster = fakeCluster();
    const first = await session(cluster, config, plan, { excluded: ['preflight', 'verify'] });
    await first.result;
    const second = await session(cluster, config, plan, { journal: first.journal });
    expect((await second.result).applied).toEqual(['verify']);
  });
});

describe('helm records', () => {
  it('are read again once the lock is taken: another run may have changed them', async () => {
    const cluster = fakeCluster();
    await (
      await session(cluster, config, plan)
    ).result;
    const stuck = cluster.all('Secret').find((secret) => secret.metadata.labels?.['name'] === 'loki');
    if (!stuck) throw new Error('no record');
    cluster.put({
      ...stuck,
      metadata: { ...stuck.metadata, labels: { ...stuck.metadata.labels, status: 'pending-install' } },
    });
    const enter = async (): Promise<void> => {
      await tick();
      cluster.put(stuck);
    };
    const before = cluster.calls.length;
    await (
      await session(cluster, config, plan, { context: { enter } })
    ).result;
    expect(cluster.calls.slice(before).filter((call) => call.startsWith('helm'))).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { KubeError } from '../../src/adapters/kube.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { refText } from '../../src/core/types.ts';
import { JOURNAL } from '../../src/engine/state/journal.ts';
import type { ApplyContext } from '../../src/engine/steps/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { uninstall } from '../../src/engine/uninstall/index.ts';
import { type RemovalPlan, ownObjects, planRemoval } from '../../src/engine/uninstall/plan.ts';
import { COMPONENT_IDS } from '../../src/profile/schema.ts';
import { type FakeCluster, NS, fakeCluster, contextOf, releaseObjects } from './support/cluster.ts';
import { quickstart } from './support/config.ts';
import { session } from './support/engine.ts';

const config = quickstart();
const plan = buildPlan(config);
const DATA = ['alertmanager-data', 'grafana-data', 'loki-data', 'prometheus-data', 'tempo-data'];
const context = (cluster: FakeCluster, over: Partial<ApplyContext> = {}): ApplyContext =>
  contextOf(cluster, { timeout: 50, ...over });
const removalOf = (cluster: FakeCluster, namespace = NS): Promise<RemovalPlan> =>
  planRemoval({ kube: cluster.kube, namespace });
const names = (removal: RemovalPlan): string[] => removal.releases.map((release) => release.name);
const object = (kind: string, name: string, more: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: NS, ...more },
});

/** An installation, with the objects that Kubernetes itself adds to a namespace. */
async function installed(): Promise<FakeCluster> {
  const cluster = fakeCluster();
  await (
    await session(cluster, config, plan)
  ).result;
  cluster.put(object('ConfigMap', 'kube-root-ca.crt'));
  cluster.put(object('ServiceAccount', 'default'));
  cluster.put(
    object('Pod', 'loki-0', {
      ownerReferences: [{ kind: 'StatefulSet', name: 'loki', uid: 'u' }],
      labels: { 'app.kubernetes.io/part-of': 'genai-obs' },
    }),
  );
  cluster.calls.length = 0;
  return cluster;
}

/** Imitates garbage collection: the pod is deleted when pods are listed. */
function collectGarbage(cluster: FakeCluster): void {
  cluster.before = async (operation) => {
    if (!operation.startsWith('list Pod')) return;
    await cluster.kube.remove({ apiVersion: 'v1', kind: 'Pod', namespace: NS, name: 'loki-0' });
  };
}

describe('the removal plan', () => {
  it('lists every release, our other objects, and separately the data', async () => {
    const removal = await removalOf(await installed());
    expect(removal.releases.map(({ name, namespace }) => `${namespace}/${name}`).toSorted()).toEqual(
      COMPONENT_IDS.map((id) => `${NS}/${id}`).toSorted(),
    );
    expect(removal.objects.map((ref) => ref.name).toSorted()).toEqual([
      'genai-dashboards',
      'genai-obs-journal',
      'grafana-dashboards-provider',
      'grafana-datasources',
      'prometheus-rules',
    ]);
    expect(removal.data.map((ref) => ref.name).toSorted()).toEqual([...DATA, 'grafana-admin'].toSorted());
    expect(removal.namespaces).toMatchObject([{ kind: 'Namespace', name: NS }]);
    expect(removal.held).toEqual([]);
    expect(removal.resources).toEqual([]);
    expect(removal.foreign).toEqual([]);
  });

  it('is empty for an empty cluster', async () => {
    expect(await removalOf(fakeCluster())).toEqual({
      releases: [],
      resources: [],
      objects: [],
      data: [],
      namespaces: [],
      held: [],
      foreign: [],
    });
  });

  it('never contains a release, object or namespace of another owner', async () => {
    const cluster = await installed();
    cluster.record('their-app', 'deployed');
    cluster.put(object('Secret', 'their-secret'));
    cluster.put(object('ConfigMap', 'their-config', { labels: { 'app.kubernetes.io/managed-by': 'genai-obs' } }));
    const removal = await removalOf(cluster);
    expect(names(removal)).not.toContain('their-app');
    expect(JSON.stringify([removal.objects, removal.data])).not.toContain('their-');
    expect(removal.foreign).toEqual([
      `ConfigMap ${NS}/their-config`,
      `Secret ${NS}/sh.helm.release.v1.their-app.v1`,
      `Secret ${NS}/their-secret`,
    ]);
  });

  it('treats the webhook CA of our cert-manager as ours, and that of another cert-manager as foreign', async () => {
    const cluster = await installed();
    const annotations = { 'cert-manager.io/allow-direct-injection': 'true' };
    cluster.put(object('Secret', 'cert-manager-webhook-ca', { annotations }));
    expect((await removalOf(cluster)).foreign).toEqual([`Secret ${NS}/cert-manager-webhook-ca`]);
    cluster.record('cert-manager', 'deployed', 1, {
      global: { commonLabels: { 'app.kubernetes.io/part-of': 'genai-obs' } },
    });
    expect((await removalOf(cluster)).foreign).toEqual([]);
  });

  it('contains leftovers of hooks of deleted releases, unless another owner has releases there', async () => {
    const cluster = await installed();
    cluster.put(object('ServiceAccount', 'add-finalizer', { annotations: { 'helm.sh/hook': 'post-install' } }));
    const lost = `ServiceAccount ${NS}/add-finalizer`;
    const removal = await removalOf(cluster);
    expect(removal.objects.map(refText)).toContain(lost);
    expect(removal.foreign).toEqual([]);
    cluster.record('their-app', 'deployed');
    const shared = await removalOf(cluster);
    expect(shared.objects.map(refText)).not.toContain(lost);
    expect(shared.foreign).toContain(lost);
  });

  it('contains Secrets that cert-manager issued for our charts, and no other certificates', async () => {
    const cluster = await installed();
    const labels = { 'app.kubernetes.io/part-of': 'genai-obs' };
    const others = cluster.rendered;
    cluster.rendered = (target) =>
      target.release === 'opentelemetry-operator'
        ? [
            {
              apiVersion: 'cert-manager.io/v1',
              kind: 'Certificate',
              metadata: { name: 'serving', labels },
              spec: { secretName: 'serving-cert' },
            },
          ]
        : others(target);
    cluster.record('opentelemetry-operator', 'deployed');
    for (const name of ['serving-cert', 'their-cert'])
      cluster.put(object('Secret', name, { annotations: { 'cert-manager.io/certificate-name': name } }));
    const removal = await removalOf(cluster);
    expect(removal.foreign).toEqual([`Secret ${NS}/their-cert`]);
    collectGarbage(cluster);
    await uninstall(removal, context(cluster), { deleteData: true }, () => {});
    expect(cluster.get('Secret', 'serving-cert')).toBeUndefined();
    expect(cluster.get('Secret', 'their-cert')).toBeDefined();
  });

  it('contains our objects in an existing namespace, unless it is the home of another installation', async () => {
    const cluster = fakeCluster();
    const spread = quickstart({ tempo: { namespace: 'theirs' } });
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'theirs' } });
    await (
      await session(cluster, spread, buildPlan(spread))
    ).result;
    const tempo = { name: 'tempo', namespace: 'theirs' };
    const removal = await removalOf(cluster);
    expect(removal.releases).toContainEqual(tempo);
    expect(removal.data.map(refText)).toContain('PersistentVolumeClaim theirs/tempo-data');
    expect(removal.namespaces.map(({ name }) => name)).toEqual([NS]);
    cluster.put(object('ConfigMap', JOURNAL, { namespace: 'theirs' }));
    expect((await removalOf(cluster)).releases).not.toContainEqual(tempo);
  });

  it('is refused when a newer genai-obs wrote the journal: objects that only it lists would stay', async () => {
    const cluster = fakeCluster();
    cluster.put({
      ...object('ConfigMap', JOURNAL),
      data: { 'journal.json': JSON.stringify({ schema: 99, tool: '9.9.9' }) },
    });
    await expect(removalOf(cluster)).rejects.toMatchObject({
      parts: { what: expect.stringContaining('9.9.9, which is newer') as string },
    });
  });

  it('keeps a namespace that existed before the installation', async () => {
    const cluster = await installed();
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels: { owner: 'somebody' } } });
    expect(await removalOf(cluster)).toMatchObject({ namespaces: [], held: [] });
  });

  it('fails when a kind cannot be listed, instead of treating it as empty', async () => {
    const cluster = await installed();
    cluster.before = (operation) => {
      if (operation === 'list ClusterRole') throw new KubeError(403, 'Forbidden', 'clusterroles is forbidden');
    };
    await expect(removalOf(cluster)).rejects.toThrow('clusterroles is forbidden');
  });
});

describe('two installations in one cluster', () => {
  it.each([`${NS}-2`, 'other'])('uninstall of one does not touch the other in %s', async (neighbour) => {
    const cluster = await installed();
    for (const live of releaseObjects('loki', neighbour)) cluster.put(live);
    cluster.put({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: neighbour,
        labels: { 'app.kubernetes.io/part-of': 'genai-obs', 'app.kubernetes.io/managed-by': 'genai-obs' },
      },
    });
    collectGarbage(cluster);
    const own = (await ownObjects({ kube: cluster.kube, namespace: NS }, [NS])).map((live) => live.metadata.name);
    expect(own).toContain(`${NS}-loki`);
    expect(own.filter((name) => name.startsWith(neighbour))).toEqual([]);
    await uninstall(await removalOf(cluster), context(cluster), { deleteData: true }, () => {});
    expect(cluster.get('ClusterRole', `${neighbour}-loki`)).toBeDefined();
    expect(cluster.get('StatefulSet', 'loki', neighbour)).toBeDefined();
    expect(cluster.get('Namespace', neighbour)).toBeDefined();
    expect(cluster.get('ClusterRole', `${NS}-loki`)).toBeUndefined();
  });
});

describe('uninstall', () => {
  it('keeps PersistentVolumeClaims, the Secret they need and the namespace, and reports them', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    const result = await uninstall(await removalOf(cluster), context(cluster), { deleteData: false }, () => {});
    expect(result.kept.toSorted()).toEqual([
      `Namespace ${NS}`,
      ...DATA.map((name) => `PersistentVolumeClaim ${NS}/${name}`),
      `Secret ${NS}/grafana-admin`,
    ]);
    expect(
      cluster
        .all('PersistentVolumeClaim')
        .map((claim) => claim.metadata.name)
        .toSorted(),
    ).toEqual(DATA);
    expect(cluster.get('Secret', 'grafana-admin')).toBeDefined();
    expect(cluster.get('Namespace', NS)).toBeDefined();
    expect(cluster.get('ConfigMap', 'genai-obs-journal')).toBeUndefined();
    expect(cluster.all('StatefulSet')).toEqual([]);
  });

  it('deletes everything with --delete-data, including the namespace', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    const result = await uninstall(await removalOf(cluster), context(cluster), { deleteData: true }, () => {});
    expect(result.kept).toEqual([]);
    expect(await ownObjects({ kube: cluster.kube, namespace: NS }, [NS])).toEqual([]);
    expect(cluster.get('Namespace', NS)).toBeUndefined();
  });

  it('keeps the namespace with --delete-data when it contains an object of another owner', async () => {
    const cluster = await installed();
    cluster.put(object('Secret', 'their-secret'));
    collectGarbage(cluster);
    const result = await uninstall(await removalOf(cluster), context(cluster), { deleteData: true }, () => {});
    expect(result.kept).toEqual([`Namespace ${NS}`]);
    expect(cluster.get('Secret', 'their-secret')).toBeDefined();
    expect(cluster.all('PersistentVolumeClaim')).toEqual([]);
  });

  it('deletes the journal and the namespace last, so that an interrupted run still counts as installed', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    await uninstall(await removalOf(cluster), context(cluster), { deleteData: true }, () => {});
    const calls = cluster.calls.filter((call) => !call.startsWith('remove Pod'));
    expect(calls.slice(-2)).toEqual(['remove ConfigMap/genai-obs-journal', `remove Namespace/${NS}`]);
    expect(calls.slice(0, 9).every((call) => call.startsWith('helm uninstall'))).toBe(true);
  });

  it('resumes after a failure, and skips what is already deleted', async () => {
    const cluster = await installed();
    cluster.before = (operation) => {
      if (operation === 'remove ConfigMap/prometheus-rules') throw new KubeError(500, 'InternalError', 'etcd');
    };
    const failed: string[] = [];
    await expect(
      uninstall(
        await removalOf(cluster),
        context(cluster),
        { deleteData: false },
        (event) => event.type === 'failed' && failed.push(event.id),
      ),
    ).rejects.toThrow('etcd');
    expect(failed).toEqual([`ConfigMap ${NS}/prometheus-rules`]);
    expect(cluster.get('ConfigMap', 'genai-obs-journal')).toBeDefined();
    collectGarbage(cluster);
    const rest = await removalOf(cluster);
    expect(rest.releases).toEqual([]);
    await uninstall(rest, context(cluster), { deleteData: false }, () => {});
    expect(cluster.get('ConfigMap', 'prometheus-rules')).toBeUndefined();
  });

  it('verifies that everything is deleted, or names what still exists and its finalizers', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    const stuck = cluster.put({
      ...object('Service', 'loki', {
        labels: { 'app.kubernetes.io/part-of': 'genai-obs' },
        finalizers: ['example/hold'],
      }),
    });
    const error: unknown = await uninstall(
      await removalOf(cluster),
      context(cluster),
      { deleteData: false },
      () => {},
    ).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      parts: {
        what: '1 objects still exist after 0 s',
        object: refText({ apiVersion: 'v1', kind: 'Service', namespace: NS, name: stuck.metadata.name }),
        cause: 'finalizers: example/hold',
      },
    });
  });

  it('waits for the volumes of deleted claims, except those with reclaim policy Retain', async () => {
    const volume = (name: string, policy: string, claim: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: { persistentVolumeReclaimPolicy: policy, claimRef: { namespace: NS, name: claim } },
    });
    const cluster = await installed();
    collectGarbage(cluster);
    cluster.put(volume('kept', 'Retain', 'loki-data'));
    cluster.put(volume('theirs', 'Delete', 'their-claim'));
    const removal = await removalOf(cluster);
    await uninstall(removal, context(cluster), { deleteData: true }, () => {});
    cluster.put(volume('slow', 'Delete', 'loki-data'));
    await expect(
      uninstall({ ...removal, releases: [], objects: [], data: [] }, context(cluster), { deleteData: true }, () => {}),
    ).rejects.toMatchObject({
      parts: { object: 'PersistentVolume slow' },
    });
  });

  it('starts no new step when it is interrupted, and reports how to resume', async () => {
    const cluster = await installed();
    const controller = new AbortController();
    controller.abort();
    await expect(
      uninstall(
        await removalOf(cluster),
        context(cluster, { signal: controller.signal }),
        { deleteData: true },
        () => {},
      ),
    ).rejects.toMatchObject({
      exit: 130,
      parts: { next: expect.stringContaining('it resumes') as string },
    });
    expect(cluster.calls).toEqual([]);
  });

  it('finds releases that a crash left pending', async () => {
    const cluster = await installed();
    cluster.record('loki', 'pending-upgrade', 2);
    expect(names(await removalOf(cluster))).toContain('loki');
  });

  it('finds the objects of a release whose helm record is lost', async () => {
    const cluster = await installed();
    for (const secret of cluster.all('Secret'))
      if (secret.metadata.labels?.['name'] === 'loki')
        await cluster.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: NS, name: secret.metadata.name });
    const removal = await removalOf(cluster);
    expect(names(removal)).not.toContain('loki');
    expect(removal.objects.map(refText)).toEqual(
      expect.arrayContaining([`StatefulSet ${NS}/loki`, `ConfigMap ${NS}/loki`, `ClusterRole ${NS}-loki`]),
    );
  });
});

describe('name conflicts', () => {
  it('install refuses an existing object of another owner, before anything changes', async () => {
    const cluster = fakeCluster();
    cluster.put(object('ConfigMap', 'prometheus-rules'));
    await expect((await session(cluster, config, plan)).result).rejects.toMatchObject({
      parts: { object: `ConfigMap ${NS}/prometheus-rules` },
    });
    expect(cluster.calls).toEqual([]);
  });

  it('install refuses an existing release of another owner, before anything changes', async () => {
    const cluster = fakeCluster();
    cluster.record('loki', 'deployed');
    const record = cluster.all('Secret')[0];
    const foreign = fakeCluster();
    foreign.record('their-app', 'deployed');
    const theirs = foreign.all('Secret')[0];
    if (!record || !theirs) throw new Error('no record');
    cluster.put({ ...record, data: theirs['data'] });
    await expect((await session(cluster, config, plan)).result).rejects.toMatchObject({
      parts: { object: `release ${NS}/loki` },
    });
    expect(cluster.calls).toEqual([]);
  });
});

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
const look = (cluster: FakeCluster, namespace = NS): Promise<RemovalPlan> =>
  planRemoval({ kube: cluster.kube, namespace });
const names = (removal: RemovalPlan): string[] => removal.releases.map((release) => release.name);
const object = (kind: string, name: string, more: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: NS, ...more },
});

/** Installed, with what Kubernetes itself puts into a namespace. */
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

/** Deleting a workload or a namespace takes what is in it along. */
function collectGarbage(cluster: FakeCluster): void {
  cluster.before = async (operation) => {
    if (!operation.startsWith('list Pod')) return;
    await cluster.kube.remove({ apiVersion: 'v1', kind: 'Pod', namespace: NS, name: 'loki-0' });
  };
}

describe('what would be removed', () => {
  it('is every release, our objects, and apart from them the data', async () => {
    const removal = await look(await installed());
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

  it('is nothing in an empty cluster', async () => {
    expect(await look(fakeCluster())).toEqual({
      releases: [],
      resources: [],
      objects: [],
      data: [],
      namespaces: [],
      held: [],
      foreign: [],
    });
  });

  it('never is a release, object or namespace of somebody else', async () => {
    const cluster = await installed();
    cluster.record('their-app', 'deployed');
    cluster.put(object('Secret', 'their-secret'));
    cluster.put(object('ConfigMap', 'their-config', { labels: { 'app.kubernetes.io/managed-by': 'genai-obs' } }));
    const removal = await look(cluster);
    expect(names(removal)).not.toContain('their-app');
    expect(JSON.stringify([removal.objects, removal.data])).not.toContain('their-');
    expect(removal.foreign).toEqual([
      `ConfigMap ${NS}/their-config`,
      `Secret ${NS}/sh.helm.release.v1.their-app.v1`,
      `Secret ${NS}/their-secret`,
    ]);
  });

  it('is not kept from by what our cert-manager makes for its webhook; what another one makes is foreign', async () => {
    const cluster = await installed();
    const annotations = { 'cert-manager.io/allow-direct-injection': 'true' };
    cluster.put(object('Secret', 'cert-manager-webhook-ca', { annotations }));
    expect((await look(cluster)).foreign).toEqual([`Secret ${NS}/cert-manager-webhook-ca`]);
    cluster.record('cert-manager', 'deployed', 1, {
      global: { commonLabels: { 'app.kubernetes.io/part-of': 'genai-obs' } },
    });
    expect((await look(cluster)).foreign).toEqual([]);
  });

  it('is what a hook left whose release is gone, unless somebody else has releases there', async () => {
    const cluster = await installed();
    cluster.put(object('ServiceAccount', 'add-finalizer', { annotations: { 'helm.sh/hook': 'post-install' } }));
    const lost = `ServiceAccount ${NS}/add-finalizer`;
    const removal = await look(cluster);
    expect(removal.objects.map(refText)).toContain(lost);
    expect(removal.foreign).toEqual([]);
    cluster.record('their-app', 'deployed');
    const shared = await look(cluster);
    expect(shared.objects.map(refText)).not.toContain(lost);
    expect(shared.foreign).toContain(lost);
  });

  it('is not kept from by what cert-manager signed for a chart of ours, and takes that along', async () => {
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
    const removal = await look(cluster);
    expect(removal.foreign).toEqual([`Secret ${NS}/their-cert`]);
    collectGarbage(cluster);
    await uninstall(removal, context(cluster), { deleteData: true }, () => {});
    expect(cluster.get('Secret', 'serving-cert')).toBeUndefined();
    expect(cluster.get('Secret', 'their-cert')).toBeDefined();
  });

  it('has what lies in a further namespace that was there before us, but nothing of an installation whose home that is', async () => {
    const cluster = fakeCluster();
    const spread = quickstart({ tempo: { namespace: 'theirs' } });
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'theirs' } });
    await (
      await session(cluster, spread, buildPlan(spread))
    ).result;
    const tempo = { name: 'tempo', namespace: 'theirs' };
    const removal = await look(cluster);
    expect(removal.releases).toContainEqual(tempo);
    expect(removal.data.map(refText)).toContain('PersistentVolumeClaim theirs/tempo-data');
    expect(removal.namespaces.map(({ name }) => name)).toEqual([NS]);
    cluster.put(object('ConfigMap', JOURNAL, { namespace: 'theirs' }));
    expect((await look(cluster)).releases).not.toContainEqual(tempo);
  });

  it('of an installation by a newer genai-obs is refused: what only its journal tells would be left behind', async () => {
    const cluster = fakeCluster();
    cluster.put({
      ...object('ConfigMap', JOURNAL),
      data: { 'journal.json': JSON.stringify({ schema: 99, tool: '9.9.9' }) },
    });
    await expect(look(cluster)).rejects.toMatchObject({
      parts: { what: expect.stringContaining('9.9.9, which is newer') as string },
    });
  });

  it('leaves a namespace that was there before us', async () => {
    const cluster = await installed();
    cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS, labels: { owner: 'somebody' } } });
    expect(await look(cluster)).toMatchObject({ namespaces: [], held: [] });
  });

  it('of a kind that cannot be listed is an error: "could not look" is not "nothing there"', async () => {
    const cluster = await installed();
    cluster.before = (operation) => {
      if (operation === 'list ClusterRole') throw new KubeError(403, 'Forbidden', 'clusterroles is forbidden');
    };
    await expect(look(cluster)).rejects.toThrow('clusterroles is forbidden');
  });
});

describe('two installations in one cluster', () => {
  it.each([`${NS}-2`, 'other'])('the one in %s is not touched, and does not hold the other up', async (neighbour) => {
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
    await uninstall(await look(cluster), context(cluster), { deleteData: true }, () => {});
    expect(cluster.get('ClusterRole', `${neighbour}-loki`)).toBeDefined();
    expect(cluster.get('StatefulSet', 'loki', neighbour)).toBeDefined();
    expect(cluster.get('Namespace', neighbour)).toBeDefined();
    expect(cluster.get('ClusterRole', `${NS}-loki`)).toBeUndefined();
  });
});

describe('uninstall', () => {
  it('keeps claims, the secret they need and the namespace, and says so', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    const result = await uninstall(await look(cluster), context(cluster), { deleteData: false }, () => {});
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

  it('--delete-data leaves only what Kubernetes put there', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    const result = await uninstall(await look(cluster), context(cluster), { deleteData: true }, () => {});
    expect(result.kept).toEqual([]);
    expect(await ownObjects({ kube: cluster.kube, namespace: NS }, [NS])).toEqual([]);
    expect(cluster.get('Namespace', NS)).toBeUndefined();
  });

  it('keeps the namespace with --delete-data when somebody else has something in it', async () => {
    const cluster = await installed();
    cluster.put(object('Secret', 'their-secret'));
    collectGarbage(cluster);
    const result = await uninstall(await look(cluster), context(cluster), { deleteData: true }, () => {});
    expect(result.kept).toEqual([`Namespace ${NS}`]);
    expect(cluster.get('Secret', 'their-secret')).toBeDefined();
    expect(cluster.all('PersistentVolumeClaim')).toEqual([]);
  });

  it('removes the journal after everything else, and the namespace last: an interrupted run can be told from "not installed"', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    await uninstall(await look(cluster), context(cluster), { deleteData: true }, () => {});
    const calls = cluster.calls.filter((call) => !call.startsWith('remove Pod'));
    expect(calls.slice(-2)).toEqual(['remove ConfigMap/genai-obs-journal', `remove Namespace/${NS}`]);
    expect(calls.slice(0, 9).every((call) => call.startsWith('helm uninstall'))).toBe(true);
  });

  it('carries on after a failure, without redoing what is gone', async () => {
    const cluster = await installed();
    cluster.before = (operation) => {
      if (operation === 'remove ConfigMap/prometheus-rules') throw new KubeError(500, 'InternalError', 'etcd');
    };
    const failed: string[] = [];
    await expect(
      uninstall(
        await look(cluster),
        context(cluster),
        { deleteData: false },
        (event) => event.type === 'failed' && failed.push(event.id),
      ),
    ).rejects.toThrow('etcd');
    expect(failed).toEqual([`ConfigMap ${NS}/prometheus-rules`]);
    expect(cluster.get('ConfigMap', 'genai-obs-journal')).toBeDefined();
    collectGarbage(cluster);
    const rest = await look(cluster);
    expect(rest.releases).toEqual([]);
    await uninstall(rest, context(cluster), { deleteData: false }, () => {});
    expect(cluster.get('ConfigMap', 'prometheus-rules')).toBeUndefined();
  });

  it('proves that all is gone, or names what stays and its finalizers', async () => {
    const cluster = await installed();
    collectGarbage(cluster);
    const stuck = cluster.put({
      ...object('Service', 'loki', {
        labels: { 'app.kubernetes.io/part-of': 'genai-obs' },
        finalizers: ['example/hold'],
      }),
    });
    const error: unknown = await uninstall(
      await look(cluster),
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

  it('waits for volumes of deleted claims, except those that their class retains', async () => {
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
    const removal = await look(cluster);
    await uninstall(removal, context(cluster), { deleteData: true }, () => {});
    cluster.put(volume('slow', 'Delete', 'loki-data'));
    await expect(
      uninstall({ ...removal, releases: [], objects: [], data: [] }, context(cluster), { deleteData: true }, () => {}),
    ).rejects.toMatchObject({
      parts: { object: 'PersistentVolume slow' },
    });
  });

  it('that is stopped starts nothing new and says how to go on', async () => {
    const cluster = await installed();
    const controller = new AbortController();
    controller.abort();
    await expect(
      uninstall(await look(cluster), context(cluster, { signal: controller.signal }), { deleteData: true }, () => {}),
    ).rejects.toMatchObject({
      exit: 130,
      parts: { next: expect.stringContaining('it resumes') as string },
    });
    expect(cluster.calls).toEqual([]);
  });

  it('finds releases that a crash left pending', async () => {
    const cluster = await installed();
    cluster.record('loki', 'pending-upgrade', 2);
    expect(names(await look(cluster))).toContain('loki');
  });

  it('finds what helm made and has forgotten', async () => {
    const cluster = await installed();
    for (const secret of cluster.all('Secret'))
      if (secret.metadata.labels?.['name'] === 'loki')
        await cluster.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: NS, name: secret.metadata.name });
    const removal = await look(cluster);
    expect(names(removal)).not.toContain('loki');
    expect(removal.objects.map(refText)).toEqual(
      expect.arrayContaining([`StatefulSet ${NS}/loki`, `ConfigMap ${NS}/loki`, `ClusterRole ${NS}-loki`]),
    );
  });
});

describe('names of others', () => {
  it('under which somebody else has made something are refused before anything is changed', async () => {
    const cluster = fakeCluster();
    cluster.put(object('ConfigMap', 'prometheus-rules'));
    await expect((await session(cluster, config, plan)).result).rejects.toMatchObject({
      parts: { object: `ConfigMap ${NS}/prometheus-rules` },
    });
    expect(cluster.calls).toEqual([]);
  });

  it('that are releases of somebody else, too', async () => {
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

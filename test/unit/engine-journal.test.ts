import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { KubeError } from '../../src/adapters/kube.ts';
import { version } from '../../src/core/root.ts';
import { JOURNAL, newJournal, oneAtATime, readJournal, writeJournal } from '../../src/engine/state/journal.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { CLUSTER_UID, NS, fakeCluster } from './support/cluster.ts';
import { quickstart } from './support/config.ts';
import { session } from './support/engine.ts';

const config = quickstart();

describe('the journal', () => {
  it('is read from the cluster exactly as it was written', async () => {
    const cluster = fakeCluster();
    expect(await readJournal(cluster.kube, NS)).toBeUndefined();
    const journal = await newJournal(cluster.kube, config, ['Namespace x']);
    journal.steps['a'] = { state: 'done', inputs: 'abc', at: 'now', by: 'me' };
    await writeJournal(cluster.kube, NS, journal);
    await writeJournal(cluster.kube, NS, journal);
    expect(await readJournal(cluster.kube, NS)).toEqual(journal);
    expect(journal).toMatchObject({ schema: 1, tool: version(), cluster: CLUSTER_UID });
    expect(cluster.get('ConfigMap', JOURNAL)?.metadata.labels).toMatchObject({
      'app.kubernetes.io/part-of': 'genai-obs',
      'app.kubernetes.io/managed-by': 'genai-obs',
    });
  });

  it('is refused when a newer genai-obs wrote it, with the command that updates genai-obs', async () => {
    const cluster = fakeCluster();
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: JOURNAL, namespace: NS },
      data: {
        'journal.json': JSON.stringify({ schema: 2, tool: '9.9.9', steps: {} }),
        'config.yaml': stringify(config),
      },
    });
    await expect(readJournal(cluster.kube, NS)).rejects.toMatchObject({
      parts: {
        what: expect.stringContaining('9.9.9, which is newer') as string,
        next: 'npm install -g genai-obs@latest',
      },
    });
  });

  it.each([
    ['journal.json', { 'journal.json': '{"schema": 1,', 'config.yaml': stringify(config) }],
    [
      'config.yaml',
      { 'journal.json': '{"schema": 1, "tool": "0.1.0", "steps": {}}', 'config.yaml': 'loki: {enabled: ' },
    ],
  ])('is refused when its %s is invalid, with the command that deletes it', async (key, data) => {
    const cluster = fakeCluster();
    cluster.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: JOURNAL, namespace: NS }, data });
    await expect(readJournal(cluster.kube, NS)).rejects.toMatchObject({
      parts: {
        what: 'the journal of this installation cannot be read',
        object: `${key} of ConfigMap ${NS}/${JOURNAL}`,
        cause: expect.not.stringContaining('\n') as string,
        next: expect.stringContaining(`delete configmap ${JOURNAL}`) as string,
      },
    });
  });

  it('fails when it cannot be read, instead of reporting "not installed"', async () => {
    const cluster = fakeCluster();
    cluster.before = () => {
      throw new KubeError(403, 'Forbidden', 'no');
    };
    await expect(readJournal(cluster.kube, NS)).rejects.toThrow('no');
  });

  it('reports a refused write, unless the ConfigMap does not exist yet', async () => {
    const cluster = fakeCluster();
    const journal = await newJournal(cluster.kube, config, []);
    cluster.before = (operation) => {
      if (operation.startsWith('replace')) throw new KubeError(500, 'InternalError', 'etcd');
    };
    await expect(writeJournal(cluster.kube, NS, journal)).rejects.toThrow('etcd');
    expect(cluster.calls).toEqual([`replace ConfigMap/${JOURNAL}`]);
  });

  it('contains no secret after an installation, neither plain nor base64-encoded', async () => {
    const cluster = fakeCluster();
    await (
      await session(cluster, config, buildPlan(config))
    ).result;
    const secret = cluster.get('Secret', 'grafana-admin')?.['data'] as Record<string, string>;
    const password = Buffer.from(secret['admin-password'] ?? '', 'base64').toString();
    expect(password.length).toBeGreaterThanOrEqual(24);
    const everythingElse = JSON.stringify(cluster.all('ConfigMap')) + cluster.calls.join('\n');
    for (const form of [password, secret['admin-password'] ?? '']) expect(everythingElse).not.toContain(form);
  });

  it('records every step except the preflight, with user and time', async () => {
    const cluster = fakeCluster();
    const plan = buildPlan(config);
    const { result, journal } = await session(cluster, config, plan);
    await result;
    expect(Object.keys(journal.steps).toSorted()).toEqual(
      plan
        .map((step) => step.id)
        .filter((id) => id !== 'preflight')
        .toSorted(),
    );
    for (const record of Object.values(journal.steps))
      expect(record).toEqual({
        state: 'done',
        inputs: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        by: expect.stringContaining('@') as string,
      });
  });
});

describe('concurrent journal writes', () => {
  it('run one at a time: callers during a write share the next one, which has the latest state', async () => {
    const written: string[] = [];
    const ends: (() => void)[] = [];
    let state = 'a';
    const { save, saved } = oneAtATime(() => {
      written.push(state);
      return new Promise((resolve) => ends.push(resolve));
    });
    const settled: number[] = [];
    const ask = (n: number): Promise<number> => save().then(() => settled.push(n));
    const all = [ask(1)];
    await new Promise(setImmediate);
    state = 'b';
    all.push(ask(2));
    state = 'c';
    all.push(ask(3));
    await new Promise(setImmediate);
    expect(written).toEqual(['a']);
    ends.shift()?.();
    await new Promise(setImmediate);
    expect([written, settled]).toEqual([['a', 'c'], [1]]);
    ends.shift()?.();
    await Promise.all([...all, saved()]);
    expect(settled).toEqual([1, 2, 3]);
  });

  it('report a failure to the caller, and do not block the next write', async () => {
    let tries = 0;
    const { save, saved } = oneAtATime(() => (tries++ ? Promise.resolve() : Promise.reject(new Error('etcd is full'))));
    await expect(save()).rejects.toThrow('etcd is full');
    await saved();
    await expect(save()).resolves.toBeUndefined();
    expect(tries).toBe(2);
  });
});

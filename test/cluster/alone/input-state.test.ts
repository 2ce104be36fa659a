import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../support/server.ts';
import {
  cli,
  eventually,
  get,
  kubectl,
  uninstallOnInterrupt,
  onInterrupt,
  removeAll,
  run,
} from '../support/cluster.ts';
import { errorOf, expectNoCrash, refuses } from '../support/refusal.ts';

const NS = 'it-state';
const INSTALL = ['install', '--namespace', NS, '--yes'];
const DEFAULT = 'storageclass.kubernetes.io/is-default-class';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-state-'));

const apply = (...items: object[]): Promise<string> =>
  kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
const dropNamespace = (): Promise<unknown> =>
  run('kubectl', ['delete', 'namespace', NS, '--ignore-not-found', '--wait', '--timeout=120s']);
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } };

beforeAll(async () => {
  uninstallOnInterrupt(NS);
  onInterrupt(
    () =>
      void spawnSync('kubectl', ['delete', 'namespace', NS, '--ignore-not-found', '--wait=false'], { stdio: 'ignore' }),
  );
  await removeAll(NS);
  await dropNamespace();
});
afterAll(async () => {
  rmSync(DIR, { recursive: true, force: true });
  await dropNamespace();
});

describe('refuses unsuitable storage classes', () => {
  it('a class that does not exist', async () => {
    const { what, on, cause, next } = await refuses(NS, [...INSTALL, '--storage-class', 'golden'], 1);
    expect(what).toMatch(/PRE-12.*there is no StorageClass golden; existing classes: /);
    expect(on).toBe('StorageClass golden');
    expect(cause).toContain('does not have');
    expect(next).toContain('--storage-class');
  });

  it('no default class', async () => {
    const { items } = await get('storageclass');
    const before = items
      .filter(({ metadata }) => metadata.annotations?.[DEFAULT] === 'true')
      .map(({ metadata }) => metadata.name);
    const mark = (value: string): string[] => [
      'annotate',
      '--overwrite',
      'storageclass',
      ...before,
      `${DEFAULT}=${value}`,
    ];
    expect(before.length).toBeGreaterThan(0);
    onInterrupt(() => void spawnSync('kubectl', mark('true'), { stdio: 'ignore' }));
    try {
      await kubectl(mark('false'));
      const { what, next } = await refuses(NS, INSTALL, 1);
      expect(what).toMatch(/PRE-12.*no StorageClass is the default/);
      expect(next).toContain('--no-persistence');
    } finally {
      await kubectl(mark('true'));
    }
    // The flag that the message suggests works.
    const plan = await cli(['plan', '--namespace', NS, '--no-persistence']);
    expect(plan.code).toBe(0);
    expect(plan.stdout).not.toContain('PersistentVolumeClaim');
  });
});

describe('refuses an unsuitable namespace', () => {
  afterEach(dropNamespace);

  it('that is being deleted', async () => {
    const held = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'held', namespace: NS, finalizers: ['it.genai-obs/held'] },
    };
    const release = ['-n', NS, 'patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'];
    onInterrupt(() => void spawnSync('kubectl', release, { stdio: 'ignore' }));
    await apply(namespace, held);
    try {
      await kubectl(['delete', 'namespace', NS, '--wait=false']);
      // The namespace controller records what blocks the deletion.
      await eventually(
        'the condition of the namespace is set',
        async () => JSON.stringify(await get('namespace', NS)).includes('NamespaceFinalizersRemaining') || undefined,
      );
      const { what, on, next } = await refuses(NS, INSTALL, 1);
      expect(what).toMatch(/PRE-26.*Terminating.*remaining: configmaps/);
      expect(on).toBe(`Namespace ${NS}`);
      expect(next).toContain(`kubectl get namespace ${NS}`);
    } finally {
      await kubectl(release);
    }
  });

  it.each([
    ['pods', { pods: '3' }, /PRE-10.*quota small leaves 3 of pods, the profile needs \d+/],
    ['memory', { 'requests.memory': '200Mi' }, /PRE-10.*quota small leaves 200 MiB of requests\.memory/],
    [
      'claims',
      { persistentvolumeclaims: '2' },
      /PRE-11.*quota small leaves 2 of persistentvolumeclaims, the profile needs 5/,
    ],
    ['storage', { 'requests.storage': '4Gi' }, /PRE-11.*quota small leaves 4(\.0)? GiB of requests\.storage/],
  ])('with a quota that is too small: %s', async (_name, hard, message) => {
    await apply(namespace, {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small', namespace: NS },
      spec: { hard },
    });
    await eventually('the quota is counted', async () =>
      (await get<{ status?: { hard?: object } }>('resourcequota', 'small', '-n', NS)).status?.hard ? true : undefined,
    );
    const { what, on, cause, next } = await refuses(NS, INSTALL, 1);
    expect(what).toMatch(message);
    expect(on).toBe(`ResourceQuota ${NS}/small`);
    expect(cause).toContain('too small');
    expect(next).toContain('edit resourcequota small');
  });
});

describe('refuses to replace objects of others that have our names', () => {
  beforeAll(() => apply(namespace));
  afterAll(dropNamespace);

  const theirs = (apiVersion: string, kind: string, name: string, rest: object): object => ({
    apiVersion,
    kind,
    metadata: { name, namespace: NS, labels: { owner: 'somebody-else' } },
    ...rest,
  });
  const cases: [string, object][] = [
    ['Service loki', theirs('v1', 'Service', 'loki', { spec: { ports: [{ port: 80 }] } })],
    [
      'PersistentVolumeClaim loki-data',
      theirs('v1', 'PersistentVolumeClaim', 'loki-data', {
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      }),
    ],
    ['ConfigMap prometheus-rules', theirs('v1', 'ConfigMap', 'prometheus-rules', { data: { theirs: 'yes' } })],
    ['ServiceAccount grafana', theirs('v1', 'ServiceAccount', 'grafana', {})],
  ];
  it.each(cases)('%s', async (title, object) => {
    const [kind = '', name = ''] = title.split(' ');
    await apply(object);
    try {
      const before = await get(kind, name, '-n', NS);
      const { what, on, cause, next } = await refuses(NS, INSTALL, 1);
      expect(`${what} ${on}`).toContain(name);
      expect(on).toBe(`${kind} ${NS}/${name}`);
      expect(cause).not.toBe('');
      expect(next).toContain('--namespace');
      expect(await get(kind, name, '-n', NS)).toEqual(before);
    } finally {
      await kubectl(['-n', NS, 'delete', kind, name]);
    }
  });

  it('a Helm release loki, which is neither upgraded nor removed', async () => {
    const chart = join(DIR, 'theirs');
    mkdirSync(join(chart, 'templates'), { recursive: true });
    writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: theirs\nversion: 1.0.0\n');
    writeFileSync(
      join(chart, 'templates', 'map.yaml'),
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\ndata: {a: b}\n',
    );
    const helm = (...args: string[]): ReturnType<typeof run> => run('helm', ['-n', NS, ...args]);
    expect((await helm('install', 'loki', chart)).code).toBe(0);
    try {
      const { what, on, next } = await refuses(NS, INSTALL, 1);
      expect(`${what} ${on}`).toMatch(/release.*loki/);
      expect(next).toContain('--namespace');
      expect((await cli(['uninstall', '--namespace', NS, '--delete-data', '--yes'])).code).toBe(0);
      const { items } = await get('secret', '-n', NS, '-l', 'owner=helm');
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['sh.helm.release.v1.loki.v1']);
      await get('configmap', 'theirs', '-n', NS);
    } finally {
      await helm('uninstall', 'loki');
    }
  });
});

describe('open refuses a port', () => {
  it('that is in use, and suggests a free one', async () => {
    const { port, close } = await listen(createServer());
    try {
      const done = await cli(['open', '--namespace', NS, '--port', String(port)]);
      expect(done.code).toBe(1);
      expectNoCrash(done);
      const { what, on, next } = errorOf(done);
      expect(what).toContain('port');
      expect(on).toBe(`127.0.0.1:${port}`);
      expect(next).toContain('--port 0');
    } finally {
      await close();
    }
  });

  it('that is not a port number', async () => {
    for (const port of ['http', '70000', '-1'])
      expect((await refuses(NS, ['open', '--namespace', NS, '--port', port], 2)).what).toContain(
        '--port takes a port number',
      );
  });
});

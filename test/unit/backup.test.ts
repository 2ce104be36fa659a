import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { entriesOf, openBackup } from '../../src/backup/archive/archive.ts';
import { backupAll } from '../../src/backup/flows/backup.ts';
import { MANIFEST, type Manifest, parseManifest, sealed } from '../../src/backup/archive/manifest.ts';
import { restoreAll } from '../../src/backup/flows/restore.ts';
import { verifyBackup } from '../../src/backup/archive/verify.ts';
import { REPLICAS } from '../../src/backup/claims/workload.ts';
import { ObsError } from '../../src/core/errors.ts';
import { NS } from './support/cluster.ts';
import { type Stage, put, stage } from './backup-support.ts';

// Runs real shells, tar and scrypt.
vi.setConfig({ testTimeout: 60_000 });

let self: Stage;
let out: string;

beforeEach(async () => {
  self = await stage();
  out = join(self.root, 'out');
  put(self.data('loki', 'chunks', 'fake', 'a b'), 'chunk one');
  put(self.data('loki', 'wal', '00000001'), 'log');
  put(self.data('loki', 'tsdb-shipper-cache', 'x'), 'cache');
  put(self.data('loki', 'lost+found', 'x'), 'not ours');
  put(self.data('tempo', 'blocks', 'single-tenant', 'b1', 'data.parquet'), 'block');
  put(self.data('tempo', 'wal', 'w1', '0001'), 'spans');
  put(self.data('tempo', 'generator', 'wal', 'x'), 'scratch');
});
afterEach(() => self.close());

const run = (options: { includeSecrets?: boolean } = {}, output = out): ReturnType<typeof backupAll> =>
  backupAll(self.deps, { output, ...options });
const restore = (
  options: Partial<Parameters<typeof restoreAll>[1]> = {},
  deps: Partial<Parameters<typeof restoreAll>[0]> = {},
): ReturnType<typeof restoreAll> =>
  restoreAll({ ...self.deps, ...deps }, { path: out, yes: true, ...options }, () => {});
const manifest = (): Manifest => JSON.parse(readFileSync(join(out, MANIFEST), 'utf8')) as Manifest;
const refusal = async (work: Promise<unknown>): Promise<ObsError['parts']> =>
  work.then(
    () => expect.fail('expected an error'),
    (error: unknown) => (error as ObsError).parts,
  );
const helpers = (): string[] =>
  self.cluster
    .all('Pod')
    .map((pod) => pod.metadata.name)
    .filter((name) => name.startsWith('backup-'));

async function verify(path = out): Promise<unknown> {
  const backup = await openBackup(path);
  try {
    return await verifyBackup(backup, () => {});
  } finally {
    await backup.close();
  }
}

describe('backup', () => {
  it('writes every store completely, without secrets', async () => {
    const result = await run();
    expect(result.warnings).toEqual([]);
    expect(Object.keys(result.pauses)).toEqual(['loki', 'tempo']);
    const { files, stores, cluster, namespace, images } = manifest();
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'config.yaml',
        'releases/loki.json',
        'configmaps/loki.yaml',
        'prometheus/data-1.tar.gz',
        'loki/data-2.tar.gz',
        'loki/files.txt',
        'tempo/data-2.tar.gz',
        'grafana/alerting.json',
        'alertmanager/silences.json',
      ]),
    );
    expect(stores).toContain('secrets');
    expect({ cluster, namespace }).toEqual({ cluster: '11111111-2222-3333-4444-555555555555', namespace: NS });
    expect(images['loki']).toBe('docker.io/grafana/loki:3.7.6');
    expect(readFileSync(join(out, 'config.yaml'), 'utf8')).toContain(stringify(self.deps.config));
    expect(readFileSync(join(out, 'loki/files.txt'), 'utf8').split('\n').filter(Boolean).toSorted()).toEqual([
      '3 wal/00000001',
      '9 chunks/fake/a b',
    ]);
    expect(readFileSync(join(out, 'tempo/files.txt'), 'utf8')).not.toContain('generator');
    await expect(verify()).resolves.toMatchObject({ files: files.length });
    expect(readdirSync(self.root)).not.toContain('out.partial');
  });

  it('stops only Loki and Tempo, one after the other, and deletes helper pods and snapshot', async () => {
    const copiedWhile: Record<string, number> = {};
    self.beforeScript = (pod, script) =>
      void (
        script.startsWith('set -o pipefail') && (copiedWhile[pod] = self.replicas(pod.replace('backup-', '') as 'loki'))
      );
    await run();
    expect(copiedWhile).toEqual({ 'backup-prometheus': 1, 'backup-loki': 0, 'backup-tempo': 0 });
    expect(self.cluster.calls.filter((call) => call.startsWith('scale'))).toEqual([
      'scale loki 0',
      'scale loki 1',
      'scale tempo 0',
      'scale tempo 1',
    ]);
    expect(helpers()).toEqual([]);
    expect(existsSync(self.data('prometheus', 'snapshots'))).toBe(false);
    expect(self.cluster.get('StatefulSet', 'loki')?.metadata.annotations?.[REPLICAS]).toBeUndefined();
  });

  it('copies unchanged files before the stop, and contains the exact state at the stop', async () => {
    self.ahead = 60;
    put(self.data('loki', 'chunks', 'fake', 'changed'), 'before');
    put(self.data('loki', 'chunks', 'fake', 'gone'), 'compacted away');
    self.onScale = (name, replicas) => {
      if (name !== 'loki' || replicas > 0) return;
      writeFileSync(self.data('loki', 'chunks', 'fake', 'changed'), 'after the first pass');
      rmSync(self.data('loki', 'chunks', 'fake', 'gone'));
      put(self.data('loki', 'chunks', 'fake', 'late'), 'flushed at the stop');
    };
    await run();
    self.onScale = () => {};
    const inside = async (name: string): Promise<string[]> =>
      [...(await entriesOf(join(out, 'loki', name))).keys()].toSorted();
    expect(await inside('data-1.tar.gz')).toEqual(['chunks/fake/a b', 'chunks/fake/changed', 'chunks/fake/gone']);
    expect(await inside('data-2.tar.gz')).toEqual(['chunks/fake/changed', 'chunks/fake/late', 'wal/00000001']);
    await restore({ only: ['loki'] });
    const texts = readdirSync(self.data('loki', 'chunks', 'fake'))
      .toSorted()
      .map((name) => readFileSync(self.data('loki', 'chunks', 'fake', name), 'utf8'));
    expect(texts).toEqual(['chunk one', 'after the first pass', 'flushed at the stop']);
  });

  it('copies everything during the stop when the first pass fails', async () => {
    self.ahead = 60;
    self.beforeScript = (pod, script) => {
      if (pod === 'backup-loki' && script.startsWith('set -o pipefail') && self.replicas('loki') === 1)
        throw new Error('broken');
    };
    await run();
    expect(
      manifest()
        .files.map(({ path }) => path)
        .filter((path) => path.startsWith('loki/')),
    ).toEqual(['loki/data-2.tar.gz', 'loki/files.txt']);
    await verify();
  });

  it('runs unprivileged helper pods as owner of the files, on the node of the pod, read-only for Loki', async () => {
    interface PodSpec {
      nodeName: string;
      securityContext: object;
      containers: { volumeMounts: { readOnly?: boolean }[]; securityContext: object; image: string }[];
    }
    const pods: Record<string, PodSpec> = {};
    const real = { ...self.cluster.kube };
    self.cluster.kube.create = (object) => (
      (pods[object.metadata.name] = object['spec'] as PodSpec),
      real.create(object)
    );
    await backupAll(
      {
        ...self.deps,
        config: { ...self.deps.config, global: { ...self.deps.config.global, imageRegistry: 'mirror.example/x' } },
      },
      { output: out },
    );
    const { nodeName, securityContext, containers } = pods['backup-loki']!;
    expect(nodeName).toBe('node-1');
    expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001 });
    expect(containers[0]).toMatchObject({
      image: 'mirror.example/x/library/busybox:1.36',
      securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
    });
    expect(containers[0]?.volumeMounts[0]?.readOnly).toBe(true);
  });

  it('restores replicas, deletes helper pods and writes nothing after Ctrl-C during a stop', async () => {
    self.onScale = (name, replicas) => void (name === 'loki' && replicas === 0 && self.controller.abort());
    expect(await run().catch((error: unknown) => (error as ObsError).exit)).toBe(130);
    expect(self.replicas('loki')).toBe(1);
    expect(helpers()).toEqual([]);
    expect(readdirSync(self.root).filter((name) => name.startsWith('out'))).toEqual([]);
  });

  it('restores replicas after a failed copy, even if the API server is unreachable for a moment', async () => {
    let outages = 2;
    self.beforeScript = (pod, script) => {
      if (pod === 'backup-tempo' && self.replicas('tempo') === 0 && script.startsWith('set -o pipefail'))
        throw new Error('the connection broke');
    };
    const { KubeError } = await import('../../src/adapters/kube.ts');
    self.cluster.before = (operation) => {
      if (operation === 'patch tempo' && self.replicas('tempo') === 0 && outages-- > 0)
        throw new KubeError(0, 'Unreachable', 'connection refused');
    };
    await expect(run()).rejects.toThrow('the connection broke');
    expect(self.replicas('tempo')).toBe(1);
    expect(helpers()).toEqual([]);
    expect(existsSync(out)).toBe(false);
  });

  it('first cleans up after a killed run: stopped workloads, helper pods, snapshot, folder', async () => {
    const loki = self.cluster.get('StatefulSet', 'loki')!;
    self.cluster.put({
      ...loki,
      metadata: { ...loki.metadata, annotations: { [REPLICAS]: '1' } },
      spec: { ...(loki['spec'] as object), replicas: 0 },
    });
    const labels = { 'app.kubernetes.io/part-of': 'genai-obs', 'app.kubernetes.io/component': 'backup' };
    self.cluster.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'backup-prometheus',
        namespace: NS,
        labels,
        annotations: { 'genai-obs/snapshot': '20250101T000000Z-dead' },
      },
    });
    put(self.data('prometheus', 'snapshots', '20250101T000000Z-dead', 'x'), 'x');
    put(self.data('prometheus', 'snapshots', '20250101T000000Z-beef', 'x'), 'not ours');
    put(join(self.root, 'out.partial', '.genai-obs-partial'), '');
    await run();
    expect(self.cluster.calls[0]).toBe('scale loki 1');
    expect(readdirSync(self.data('prometheus', 'snapshots'))).toEqual(['20250101T000000Z-beef']);
    expect(self.reports.join('\n')).toMatch(
      /left StatefulSet loki stopped[^]*deleting the helper pod backup-prometheus/,
    );
    await verify();
  });

  it('rejects an existing path, and skips a component without a claim with a warning', async () => {
    mkdirSync(out);
    writeFileSync(join(out, 'mine'), '');
    expect((await refusal(run())).what).toContain('already exists');
    rmSync(out, { recursive: true });
    const loki = self.cluster.get('StatefulSet', 'loki')!;
    self.cluster.put({ ...loki, spec: { ...(loki['spec'] as object), template: { spec: {} } } });
    expect((await run()).warnings).toEqual([expect.stringContaining('Loki has no claim')]);
    expect(self.cluster.calls).not.toContain('scale loki 0');
  });
});

describe('verify', () => {
  it('names the first file that is truncated, modified or missing, in a folder and in an archive', async () => {
    await run();
    const file = join(out, 'loki/data-2.tar.gz');
    const good = readFileSync(file);
    truncateSync(file, good.length - 5);
    expect(await refusal(verify())).toMatchObject({
      object: `${out}: loki/data-2.tar.gz`,
      cause: expect.stringContaining('truncated') as string,
    });
    const flipped = Buffer.from(good);
    flipped[20]! ^= 1;
    writeFileSync(file, flipped);
    expect(await refusal(verify())).toMatchObject({
      object: `${out}: loki/data-2.tar.gz`,
      cause: expect.stringContaining('modified') as string,
    });
    rmSync(file);
    expect((await refusal(verify())).cause).toBe('the file is missing');
    await run({}, `${out}.tar.gz`);
    await verify(`${out}.tar.gz`);
    truncateSync(`${out}.tar.gz`, 4000);
    expect((await refusal(verify(`${out}.tar.gz`))).what).toContain('damaged or truncated');
    expect(readdirSync(self.root).filter((name) => name.startsWith('.genai-obs'))).toEqual([]);
  });

  it('rejects a manifest that is newer, modified, or names paths outside of the backup', async () => {
    await run();
    const text = readFileSync(join(out, MANIFEST), 'utf8');
    const read = (change: (m: Manifest) => void, seal = false): unknown => {
      const data = JSON.parse(text) as Manifest;
      change(data);
      try {
        return parseManifest(JSON.stringify(seal ? sealed(data) : data), 'x');
      } catch (error) {
        return (error as ObsError).parts;
      }
    };
    expect(read((m) => (m.schemaVersion = 2))).toMatchObject({
      what: expect.stringContaining('newer genai-obs') as string,
      cause: expect.stringContaining('wrote format 2; this version reads up to 1') as string,
    });
    const modified = { cause: 'the content does not match its own checksum' };
    expect(read((m) => (m.files[0]!.bytes += 1))).toMatchObject(modified);
    expect(read((m) => (m.namespace = 'other'))).toMatchObject(modified);
    for (const path of ['../x', '/etc/passwd', 'a/../../x', 'a//b', ''])
      expect(read((m) => (m.files[0]!.path = path), true)).toMatchObject({
        cause: expect.stringContaining('plain relative path') as string,
      });
    expect((await refusal(openBackup(self.root))).what).toContain('manifest.json is missing');
  });
});

describe('restore', () => {
  it('changes nothing in a dry run, when the backup is damaged or when the stack is not installed', async () => {
    await run();
    self.cluster.calls.length = 0;
    expect((await restore({ dryRun: true })).plan.find(({ store }) => store === 'loki')?.actions[0]).toMatchObject({
      action: 'replace',
      bytes: 12,
    });
    expect((await refusal(restore({}, { config: undefined }))).next).toContain(
      `genai-obs install -f ${out}/config.yaml`,
    );
    expect((await refusal(restore({ only: ['nonsense'] }))).what).toContain('unknown store "nonsense"');
    truncateSync(join(out, 'tempo/files.txt'), 1);
    await expect(restore()).rejects.toThrow('damaged');
    expect(self.cluster.calls).toEqual([]);
  });

  it('replaces the current data with the backup, and leaves no temporary files', async () => {
    await run();
    put(self.data('loki', 'wal', '00000009'), 'newer');
    rmSync(self.data('loki', 'chunks'), { recursive: true });
    put(self.data('tempo', '.genai-obs-incoming', 'x'), 'of a killed restore');
    await restore();
    expect(readdirSync(self.data('loki')).toSorted()).toEqual(['chunks', 'lost+found', 'wal']);
    expect(readdirSync(self.data('loki', 'wal'))).toEqual(['00000001']);
    expect(readFileSync(self.data('loki', 'chunks', 'fake', 'a b'), 'utf8')).toBe('chunk one');
    expect(readdirSync(self.data('tempo')).toSorted()).toEqual(['blocks', 'generator', 'wal']);
    expect(readdirSync(self.data('prometheus'))).toEqual(['01ABC']);
    expect(helpers()).toEqual([]);
  });

  it('repeats an upload that lost data, and changes nothing when all attempts lose data', async () => {
    await run();
    put(self.data('tempo', 'wal', 'w2', '0001'), 'newer');
    let left = 2;
    self.loses = () => left-- > 0;
    await restore({ only: ['tempo'] });
    expect(readdirSync(self.data('tempo', 'wal'))).toEqual(['w1']);
    expect(self.reports.filter((text) => text.includes('lost data: sending it again'))).toHaveLength(2);
    put(self.data('tempo', 'wal', 'w2', '0001'), 'newer');
    // Loses the file list only: an empty list would make the restore delete every file.
    self.loses = (script) => script.includes('cat >/tmp/want');
    expect((await refusal(restore({ only: ['tempo'] }))).cause).toContain('the connection lost data 3 times');
    expect(readdirSync(self.data('tempo', 'wal')).toSorted()).toEqual(['w1', 'w2']);
  });

  it('rolls back to the former data when the component does not start with the restored data', async () => {
    await run();
    put(self.data('loki', 'wal', '00000009'), 'newer');
    let broken = true;
    self.onScale = (name, replicas) => {
      if (name !== 'loki' || replicas === 0 || !broken) return;
      const live = self.cluster.get('StatefulSet', 'loki')!;
      self.cluster.put({ ...live, status: {} });
      put(self.data('loki', 'wal', 'written-while-it-crashed'), 'x');
      broken = false;
    };
    await expect(restore({ only: ['loki'] }, { timeout: 700 })).rejects.toThrow('was rolled back to its former data');
    expect(readdirSync(self.data('loki', 'wal')).toSorted()).toEqual(['00000001', '00000009']);
    expect(self.replicas('loki')).toBe(1);
  });

  it('first rolls back a killed restore; a backup refuses to copy its data', async () => {
    await run();
    put(self.data('loki', '.before-restore', 'wal', 'old'), 'old');
    put(self.data('loki', 'wal', 'made-by-a-start-in-between'), 'x');
    expect((await refusal(run({}, `${out}-2`))).what).toContain('a restore of Loki was interrupted');
    await restore({ only: ['loki'] });
    expect(self.reports.join('\n')).toContain('rolling back to the former data first');
    expect(readdirSync(self.data('loki', 'wal'))).toEqual(['00000001']);
    expect(existsSync(self.data('loki', '.before-restore'))).toBe(false);
  });
});

describe('secrets', () => {
  it('are included only on request, encrypted, and restored only with the right passphrase', async () => {
    await run();
    const all = (dir: string): string[] =>
      readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
    const leak = (dir: string): string[] =>
      all(dir).filter((file) => /s3cret-of-grafana|czNjcmV0LW9mLWdyYWZhbmE/.test(readFileSync(file, 'latin1')));
    expect(leak(out)).toEqual([]);
    expect(existsSync(join(out, 'secrets.enc'))).toBe(false);
    rmSync(out, { recursive: true });
    await run({ includeSecrets: true });
    expect(leak(out)).toEqual([]);
    const wrong = restore(
      { includeSecrets: true, only: ['secrets'] },
      { passphrase: () => Promise.resolve('battery staple') },
    );
    expect((await refusal(wrong)).what).toContain('the passphrase is wrong');
    const secret = self.cluster.get('Secret', 'grafana-admin')!;
    self.cluster.put({
      ...secret,
      data: { 'admin-user': 'YWRtaW4=', 'admin-password': Buffer.from('other-password').toString('base64') },
    });
    await restore({ includeSecrets: true, only: ['secrets'] });
    expect(self.grafana.requests.at(-1)).toMatchObject({
      method: 'PUT',
      path: '/api/user/password',
      body: { oldPassword: 'other-password', newPassword: 's3cret-of-grafana' },
    });
    expect(self.cluster.get('Secret', 'grafana-admin')?.['data']).toEqual(secret['data']);
  });
});

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backupAll } from '../../src/backup/flows/backup.ts';
import { decrypt, encrypt } from '../../src/backup/archive/crypt.ts';
import { grafanaStore } from '../../src/backup/stores/grafana/index.ts';
import { passphraseFrom } from '../../src/backup/archive/passphrase.ts';
import { type RestoreResult, planText, restoreAll } from '../../src/backup/flows/restore.ts';
import { redact } from '../../src/core/redact.ts';
import { type Stage, stage } from './backup-support.ts';

vi.setConfig({ testTimeout: 60_000 });

let self: Stage;
let out: string;
const live: Record<string, unknown> = {};

beforeEach(async () => {
  self = await stage();
  out = join(self.root, 'out');
  for (const key of Object.keys(live)) delete live[key];
  Object.assign(live, {
    '/api/search?type=dash-folder&limit=1000&page=1': [
      { uid: 'child', title: 'Child', folderUid: 'top' },
      { uid: 'top', title: 'Top' },
    ],
    '/api/search?type=dash-db&limit=1000&page=1': [
      { uid: 'hand', title: 'By hand' },
      { uid: 'ours', title: 'Ours' },
    ],
    '/api/datasources': [
      { uid: 'x', name: 'X', type: 'prometheus' },
      { uid: 'loki', name: 'Loki', type: 'loki' },
    ],
    '/api/datasources/uid/x': {
      id: 7,
      uid: 'x',
      name: 'X',
      type: 'prometheus',
      version: 3,
      password: 'hunter22',
      secureJsonData: { token: 'hunter22' },
      secureJsonFields: { token: true },
      readOnly: false,
    },
    '/api/datasources/uid/loki': { id: 8, uid: 'loki', name: 'Loki', type: 'loki', readOnly: true },
    '/api/dashboards/uid/hand': {
      dashboard: { id: 3, uid: 'hand', version: 9, title: 'By hand' },
      meta: { folderUid: 'child', provisioned: false },
    },
    '/api/dashboards/uid/ours': {
      dashboard: { id: 4, uid: 'ours', version: 1, title: 'Ours' },
      meta: { folderUid: 'genai-obs', provisioned: true },
    },
    '/api/v1/provisioning/alert-rules': [{ uid: 'r1', folderUID: 'top', ruleGroup: 'g' }],
    '/api/v1/provisioning/folder/top/rule-groups/g': {
      title: 'g',
      folderUid: 'top',
      interval: 60,
      rules: [{ id: 1, uid: 'r1', title: 'r', updated: 'now' }],
    },
    '/api/v1/provisioning/contact-points': [
      { uid: 'c1', name: 'hook', type: 'webhook', settings: { url: 'http://x', password: '[REDACTED]' } },
    ],
    '/api/v1/provisioning/policies': { receiver: 'hook' },
    '/api/v1/provisioning/templates': [{ name: 't', template: 'x', provenance: 'api' }],
    '/api/v1/provisioning/mute-timings': [],
  });
  self.grafana.answer = (method, path) => (method === 'GET' ? live[path] : undefined);
});
afterEach(() => self.close());

const run = (): ReturnType<typeof backupAll> => backupAll(self.deps, { output: out }, [grafanaStore]);
const restore = (dryRun = false): Promise<RestoreResult> =>
  restoreAll(self.deps, { path: out, yes: true, dryRun }, () => {}, [grafanaStore]);
const writes = (): string[] =>
  self.grafana.requests.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`);
const body = (path: string): unknown =>
  self.grafana.requests.find((request) => request.method !== 'GET' && request.path === path)?.body;

describe('Grafana', () => {
  it('is backed up without secrets, with a warning for each missing one', async () => {
    const { warnings } = await run();
    expect(warnings).toEqual([expect.stringContaining('datasource "X": its secrets (token)')]);
    const text = readdirSync(join(out, 'grafana'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('');
    expect(text).not.toMatch(/hunter22|REDACTED/);
    expect(JSON.parse(readFileSync(join(out, 'grafana/folders.json'), 'utf8'))).toEqual([
      { uid: 'top', title: 'Top' },
      { uid: 'child', title: 'Child', parentUid: 'top' },
    ]);
    expect(
      self.grafana.requests.every(
        ({ headers }) =>
          headers['authorization'] === `Basic ${Buffer.from('admin:s3cret-of-grafana').toString('base64')}`,
      ),
    ).toBe(true);
    expect(redact('s3cret-of-grafana')).toBe('[redacted]');
  });

  it('gets no writes when it equals the backup', async () => {
    await run();
    const { plan } = await restore();
    expect(writes()).toEqual([]);
    expect(new Set(plan[0]?.actions.map(({ action }) => action))).toEqual(new Set(['same']));
  });

  it('gets deleted objects back in the order of their references; provisioned ones are only compared', async () => {
    await run();
    for (const path of Object.keys(live))
      if (!path.includes('ours') && !path.endsWith('/uid/loki'))
        live[path] = path.endsWith('policies') ? { receiver: 'default' } : [];
    for (const path of ['/api/dashboards/uid/hand', '/api/datasources/uid/x']) live[path] = undefined;
    live['/api/datasources'] = [{ uid: 'loki', name: 'Loki', type: 'loki' }];
    const dry = await restore(true);
    expect(writes()).toEqual([]);
    const text = planText(dry.plan, dry.manifest);
    expect(text).toMatch(/create +folder "Top"\n +create +folder "Child"[^]*same +datasource "Loki"/);
    expect(text).toMatch(/datasource "Loki" \(provisioned by the installation\)[^]*create +dashboard "By hand"/);
    const result = await restore();
    const provisioning = '/api/v1/provisioning';
    expect(writes()).toEqual([
      'POST /api/folders',
      'POST /api/folders',
      'POST /api/datasources',
      'POST /api/dashboards/db',
      `PUT ${provisioning}/templates/t`,
      `POST ${provisioning}/contact-points`,
      `PUT ${provisioning}/policies`,
      `POST ${provisioning}/alert-rules`,
      `PUT ${provisioning}/folder/top/rule-groups/g`,
    ]);
    expect(result.restored['grafana']).toEqual({ done: 8, failed: [] });
    expect(body('/api/dashboards/db')).toMatchObject({
      dashboard: { id: null, uid: 'hand' },
      folderUid: 'child',
      overwrite: true,
    });
    expect(body(`${provisioning}/contact-points`)).toMatchObject({ name: 'hook', settings: { url: 'http://x' } });
    const locked = (path: string): boolean =>
      self.grafana.requests.some(
        (request) => request.path === path && request.method !== 'GET' && !request.headers['x-disable-provenance'],
      );
    expect([locked(`${provisioning}/templates/t`), locked(`${provisioning}/policies`)]).toEqual([true, false]);
  });

  it('keeps the current secret of a contact point that is restored', async () => {
    await run();
    live['/api/v1/provisioning/contact-points'] = [
      { uid: 'c1', name: 'hook', type: 'webhook', settings: { url: 'http://changed', password: '[REDACTED]' } },
    ];
    await restore();
    expect(body('/api/v1/provisioning/contact-points/c1')).toMatchObject({
      settings: { url: 'http://x', password: '[REDACTED]' },
    });
  });

  it('gets the other objects when it rejects one, and the error comes at the end', async () => {
    await run();
    live['/api/search?type=dash-folder&limit=1000&page=1'] = [];
    live['/api/dashboards/uid/hand'] = undefined;
    const { kubectl } = self.deps;
    const real = globalThis.fetch;
    globalThis.fetch = (input: string | URL | Request, init) =>
      init?.method === 'POST' && String(input).endsWith('/api/folders')
        ? Promise.resolve(new Response('{"message":"no room"}', { status: 500 }))
        : real(input, init);
    try {
      await expect(
        restoreAll({ ...self.deps, kubectl }, { path: out, yes: true }, () => {}, [grafanaStore]),
      ).rejects.toMatchObject({
        parts: {
          what: '2 objects could not be restored; everything else is restored',
          cause: expect.stringContaining('no room') as string,
        },
      });
    } finally {
      globalThis.fetch = real;
    }
    expect(writes()).toContain('POST /api/dashboards/db');
  });
});

describe('passphrases', () => {
  it('encrypt so that only they decrypt, with a different result each time', () => {
    const one = encrypt('the text', 'correct horse');
    expect(decrypt(one, 'correct horse', 'x')).toBe('the text');
    expect(encrypt('the text', 'correct horse')).not.toBe(one);
    expect(() => decrypt(one, 'correct horsf', 'x')).toThrow('the passphrase is wrong');
    const box = JSON.parse(one) as { data: string };
    expect(() =>
      decrypt(JSON.stringify({ ...box, data: Buffer.from('altered!').toString('base64') }), 'correct horse', 'x'),
    ).toThrow('the passphrase is wrong');
  });

  it('decrypt the secrets of an existing backup', () => {
    const box = {
      format: 1,
      cipher: 'aes-256-gcm',
      kdf: 'scrypt',
      N: 131072,
      r: 8,
      p: 1,
      salt: 'N6yfI5QBXAVST5GzAKporw==',
      iv: 'snid0RiMDetSGmZc',
      tag: 'hklC+LfTdzAZGsYcJXdrZQ==',
      data: 'xUcmfvAuzZHKETF9W4fsDLbgcCFQsQ==',
    };
    expect(decrypt(JSON.stringify(box), 'correct horse', 'x')).toBe('{"written by":"0.1.0"}');
  });

  it('come from the environment, which is then cleared, from a file, or from a prompt with a repetition', async () => {
    process.env['GENAI_OBS_PASSPHRASE'] = 'from the environment';
    const never = (): Promise<string> => Promise.reject(new Error('asked'));
    expect(await passphraseFrom(undefined, never, true)()).toBe('from the environment');
    expect(process.env['GENAI_OBS_PASSPHRASE']).toBeUndefined();
    const file = join(self.root, 'pass');
    writeFileSync(file, 'from a file\n');
    expect(await passphraseFrom(file, never, true)()).toBe('from a file');
    rmSync(file);
    await expect(passphraseFrom(file, never, true)()).rejects.toThrow('cannot be read');
    const answers = ['typed once', 'typed twice'];
    await expect(passphraseFrom(undefined, () => Promise.resolve(answers.shift() ?? ''), true)()).rejects.toThrow(
      'differ',
    );
    await expect(passphraseFrom(undefined, () => Promise.resolve('short'), false)()).rejects.toThrow('shorter than 8');
  });
});

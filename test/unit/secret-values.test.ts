import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { redact } from '../../src/core/redact.ts';
import type { ApplyContext } from '../../src/engine/steps/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { answer, answerFrom, missingValues, refuseMissing, valueOf } from '../../src/engine/steps/secretValues.ts';
import type { SecretValue } from '../../src/parts/types.ts';
import type { SecretStep } from '../../src/engine/steps/secret.ts';
import { namespacesOf } from '../../src/profile/schema.ts';
import { quickstart } from './support/config.ts';
import { NS, fakeCluster, applyStep } from './support/cluster.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-secret-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};

const step = (keys: Record<string, SecretValue>): SecretStep => ({
  kind: 'secret',
  id: 'secret/s3',
  phase: 'secrets',
  title: 'Secret s3',
  needs: [],
  object: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's3', namespace: NS } },
  keys,
  data: true,
});

const context = (cluster: ReturnType<typeof fakeCluster>): ApplyContext => ({ kube: cluster.kube }) as ApplyContext;
const stored = (cluster: ReturnType<typeof fakeCluster>): Record<string, string> =>
  Object.fromEntries(
    Object.entries((cluster.get('Secret', 's3')?.['data'] ?? {}) as Record<string, string>).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]),
  );

describe('sources of a secret value', () => {
  it('are a variable, the file in NAME_FILE, or a file of the configuration; output redacts the value', () => {
    vi.stubEnv('A_KEY', ' from-variable\n');
    vi.stubEnv('B_KEY_FILE', file('b', 'from-named-file\n'));
    expect(valueOf({ fromEnv: 'A_KEY' })).toBe('from-variable');
    expect(valueOf({ fromEnv: 'B_KEY' })).toBe('from-named-file');
    expect(valueOf({ fromFile: file('c', 'from-own-file\n') })).toBe('from-own-file');
    expect(redact('from-variable from-named-file from-own-file')).toBe('[redacted] [redacted] [redacted]');
  });

  it('typed input and --token-file win over the variable, and stay out of the environment', () => {
    vi.stubEnv('T_KEY', 'from-variable');
    answer('T_KEY', 'was-typed');
    expect(valueOf({ fromEnv: 'T_KEY' })).toBe('was-typed');
    answerFrom('T_KEY', file('t', 'from-token-file\n'));
    expect(valueOf({ fromEnv: 'T_KEY' })).toBe('from-token-file');
    expect(Object.values(process.env)).not.toContain('from-token-file');
    expect(redact('was-typed')).toBe('[redacted]');
  });

  it('a missing or empty file is named in the error', () => {
    expect(() => valueOf({ fromFile: join(dir, 'none') })).toThrow(/none with a secret cannot be read/);
    expect(() => valueOf({ fromFile: file('empty', '\n') })).toThrow(/empty/);
  });
});

describe('a Secret with given values', () => {
  const keys = { user: 'fixed', random: null, id: { fromEnv: 'S3_ID' }, key: { fromFile: join(dir, 'key') } };

  it('is created from fixed, random and given values', async () => {
    vi.stubEnv('S3_ID', 'the-id');
    file('key', 'the-key\n');
    const cluster = fakeCluster();
    await applyStep(step(keys), context(cluster));
    expect(stored(cluster)).toEqual({
      user: 'fixed',
      random: expect.stringMatching(/^.{24}$/) as string,
      id: 'the-id',
      key: 'the-key',
    });
  });

  it('keeps its existing values, which need not be given again', async () => {
    vi.stubEnv('S3_ID', undefined);
    const cluster = fakeCluster();
    cluster.put({ ...step({}).object, data: { id: Buffer.from('before').toString('base64') } });
    const only = step({ id: { fromEnv: 'S3_ID' }, user: 'fixed' });
    expect(await missingValues([only], cluster.kube)).toEqual([]);
    await applyStep(only, context(cluster));
    expect(stored(cluster)).toEqual({ id: 'before', user: 'fixed' });
  });

  it('is refused before anything changes when a value is missing, and names the variable', async () => {
    vi.stubEnv('S3_ID', undefined);
    const cluster = fakeCluster();
    const refusal = await refuseMissing([step({ id: { fromEnv: 'S3_ID' } })], cluster.kube).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({
      exit: 2,
      parts: { what: 'a secret value is missing: S3_ID', next: expect.stringContaining('S3_ID_FILE') as string },
    });
    expect(cluster.calls.filter((call) => !/^(read|list)/.test(call))).toEqual([]);
    await expect(applyStep(step({ id: { fromEnv: 'S3_ID' } }), context(cluster))).rejects.toThrow('S3_ID');
    expect(cluster.get('Secret', 's3')).toBeUndefined();
  });
});

describe('the secrets section', () => {
  const config = quickstart({
    secrets: [
      { name: 's3', key: 'id', env: 'S3_ID' },
      { name: 's3', key: 'key', file: './key' },
      { name: 's3', key: 'id', namespace: 'other', env: 'OTHER_ID' },
    ],
  });

  it('adds one step per Secret, in its namespace, and contains no values', () => {
    vi.stubEnv('S3_ID', 'never-in-a-plan');
    const steps = buildPlan(config).filter(
      (one) => one.kind === 'secret' && one.id !== 'secret/grafana-admin',
    ) as SecretStep[];
    expect(steps.map(({ id, keys, needs }) => ({ id, keys, needs }))).toEqual([
      { id: 'secret/s3', keys: { id: { fromEnv: 'S3_ID' }, key: { fromFile: './key' } }, needs: ['namespace'] },
      { id: 'secret/other/s3', keys: { id: { fromEnv: 'OTHER_ID' } }, needs: ['namespace/other'] },
    ]);
    expect(namespacesOf(config)).toContain('other');
    expect(JSON.stringify([buildPlan(config), config])).not.toContain('never-in-a-plan');
  });

  it.each([[{}], [{ env: 'A', file: 'b' }], [{ env: 'no-name' }], [{ value: 'secret' }]])(
    'refuses the source %j',
    (source) => {
      expect(() => quickstart({ secrets: [{ name: 's3', key: 'id', ...source }] })).toThrow();
    },
  );
});

import { afterEach, describe, expect, it, vi } from 'vitest';
import { describe as explain } from '../../src/ui/describe.ts';
import { KubeError } from '../../src/adapters/kube.ts';
import { canonical, hashOf, subsetDiff } from '../../src/core/compare.ts';
import { EXIT, ObsError, cancelled, messageOf, usageError } from '../../src/core/errors.ts';
import { redact, registerSecret } from '../../src/core/redact.ts';
import { refOf, refText } from '../../src/core/types.ts';

describe('redact', () => {
  it.each([
    ['password: hunter2222', 'password: [redacted]'],
    ['PASSWORD=hunter2222 next', 'PASSWORD=[redacted] next'],
    ['{"password":"hunter2222","user":"admin"}', '{"password":"[redacted]","user":"admin"}'],
    ['api_key: abcdefgh, x', 'api_key: [redacted], x'],
    ['apiKey=abcdefgh', 'apiKey=[redacted]'],
    ['Authorization: Bearer abcdefghijklmnop.q-r', 'Authorization: Bearer [redacted]'],
    ['token = "abcdefgh"', 'token = "[redacted]"'],
    ['secret: [redacted]', 'secret: [redacted]'],
  ])('%s', (text, clean) => {
    expect(redact(text)).toBe(clean);
  });

  it.each([
    'Secret grafana-admin',
    'secrets "grafana-admin" not found',
    'tokens: 42',
    'the password is wrong',
    'token: no',
  ])('leaves %s', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('keeps JSON valid, including escaped JSON inside it', () => {
    const inner = JSON.stringify({ password: 'hunter2222', ok: true });
    for (const value of [{ cause: 'token=abcdefghij' }, { cause: inner }, { deep: { cause: JSON.stringify(inner) } }]) {
      const text = redact(JSON.stringify(value));
      expect(text).toContain('[redacted]');
      expect(() => JSON.parse(text) as unknown).not.toThrow();
    }
  });

  it('redacts every encoding of a registered value', () => {
    const value = 'pa"ss wörd\\1';
    registerSecret(value);
    for (const form of [
      value,
      Buffer.from(value).toString('base64'),
      JSON.stringify({ value }),
      `?p=${encodeURIComponent(value)}`,
    ]) {
      expect(redact(`<${form}>`)).not.toContain(form);
      expect(redact(`<${form}>`)).toContain('[redacted]');
    }
  });

  it('redacts the longer of two secrets with the same prefix', () => {
    registerSecret('abcdef-short');
    registerSecret('abcdef-short-and-longer');
    expect(redact('x abcdef-short-and-longer y')).toBe('x [redacted] y');
  });

  it('keeps short values, which are ordinary words', () => {
    registerSecret('admin');
    expect(redact('user admin')).toBe('user admin');
  });
});

describe('subsetDiff', () => {
  it.each<[string, unknown, unknown]>([
    ['more fields in the live object', { a: 1 }, { a: 1, b: 2 }],
    ['more fields in a nested map', { a: { b: 1 } }, { a: { b: 1, c: 2 }, status: {} }],
    ['an empty string that the server drops', { a: '' }, {}],
    ['a zero that the server drops', { a: 0 }, {}],
    ['false that the server drops', { a: false }, {}],
    ['an empty list that the server drops', { a: [] }, {}],
    ['an empty map that the server drops', { a: {} }, {}],
    ['null, which wants nothing', { a: null }, { a: 'x' }],
    ['items of a list with defaults', { a: [{ b: 1 }] }, { a: [{ b: 1, protocol: 'TCP' }] }],
  ])('none: %s', (_name, wanted, live) => {
    expect(subsetDiff(wanted, live)).toEqual([]);
  });

  it.each<[string, unknown, unknown, string]>([
    ['another value', { a: { b: 1 } }, { a: { b: 2 } }, 'a.b: 2 → 1'],
    ['a missing value', { a: 'x' }, {}, 'a: (absent) → x'],
    ['a missing tree, leaf by leaf', { a: { b: 1, c: true } }, {}, 'a.b: (absent) → 1; a.c: (absent) → true'],
    ['a number instead of a string', { a: 1 }, { a: '1' }, 'a: 1 → 1'],
    ['a zero over another number', { a: 0 }, { a: 3 }, 'a: 3 → 0'],
    ['false over true', { a: false }, { a: true }, 'a: true → false'],
    ['an empty list over a full one', { a: [] }, { a: [1] }, 'a: [1] → []'],
    ['a list of another length', { a: [1, 2] }, { a: [1] }, 'a: [1] → [1,2]'],
    ['an item', { a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }, 'a[1].b: 3 → 2'],
    ['a list for a map', { a: [1] }, { a: { 0: 1 } }, 'a: {"0":1} → [1]'],
  ])('one: %s', (_name, wanted, live, text) => {
    expect(
      subsetDiff(wanted, live)
        .map(({ path, from, to }) => `${path}: ${from} → ${to}`)
        .join('; '),
    ).toBe(text);
  });

  it('shortens long values to one line', () => {
    const [change] = subsetDiff({ data: `a\n${'x'.repeat(100)}` }, { data: 'old' });
    expect(change?.to).toHaveLength(60);
    expect(change?.to).toMatch(/^a x+\.\.\.$/);
  });
});

describe('hashOf', () => {
  it('ignores the order of keys, but not of items', () => {
    expect(hashOf({ a: 1, b: { c: 2, d: 3 } })).toBe(hashOf({ b: { d: 3, c: 2 }, a: 1 }));
    expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]));
    expect(hashOf(undefined)).toMatch(/^[0-9a-f]{16}$/);
    // Journals of existing installations contain these hashes.
    expect(hashOf({ b: [1, { d: undefined, c: 'x' }], a: null })).toBe('48aa8d7ca4745dc1');
    const keys = { 'a.b/c': 1, 'a-b': 2, B: [1e21, 0.1, -0], _c: 'ä\u2028"', é: { A: true, a: false } };
    expect(hashOf(keys)).toBe('4c3e588c46d7793c');
    expect(canonical({ b: 1, a: [{ d: 1, c: 2 }] })).toBe('{"a":[{"c":2,"d":1}],"b":1}');
  });
});

describe('errors', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('have an exit code', () => {
    expect(new ObsError({ what: 'x' }).exit).toBe(EXIT.failed);
    expect(usageError('x').exit).toBe(EXIT.usage);
    expect(cancelled('x', 'y').exit).toBe(EXIT.cancelled);
    expect(messageOf('text')).toBe('text');
  });

  it('print what failed, the object, the cause and the next command', () => {
    const { text, json, exit } = explain(
      new ObsError({ what: 'it broke', object: 'Pod a/b', cause: 'token=abcdefghij', next: 'kubectl get pods' }),
    );
    expect(text).toBe('error: it broke\n  on     Pod a/b\n  cause  token=[redacted]\n  next   kubectl get pods');
    expect(json).toEqual({
      error: { what: 'it broke', object: 'Pod a/b', cause: 'token=[redacted]', next: 'kubectl get pods' },
      exit: 1,
    });
    expect(exit).toBe(1);
  });

  it('show a stack only with GENAI_OBS_DEBUG', () => {
    const error = new TypeError('x is not a function');
    expect(explain(error).text).not.toMatch(/\bat /);
    vi.stubEnv('GENAI_OBS_DEBUG', '1');
    expect(explain(error).text).toMatch(/\n\s+at /);
  });

  it('of the API server and of a cancelled prompt are explained', () => {
    expect(explain(new KubeError(500, 'InternalError', 'etcd is gone')).text).toContain(
      'the cluster refused: etcd is gone',
    );
    expect(explain(Object.assign(new Error('User force closed'), { name: 'ExitPromptError' }))).toMatchObject({
      exit: 130,
    });
  });

  it('name an object by kind, namespace and name', () => {
    expect(refText(refOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'b', namespace: 'a' } }))).toBe('Pod a/b');
    expect(refText(refOf({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }))).toBe('Node n');
  });
});

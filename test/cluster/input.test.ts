import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, type Run, cli, footprint, uninstallOnInterrupt, removeAll, run } from './support/cluster.ts';
import { errorOf, expectNoCrash, refuses } from './support/refusal.ts';

const NS = 'it-input';
const INSTALL = ['install', '--namespace', NS, '--yes'];
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-input-'));

function file(name: string, text: string): string {
  const path = join(DIR, name);
  writeFileSync(path, text);
  return path;
}

beforeAll(async () => {
  uninstallOnInterrupt(NS);
  await removeAll(NS);
});
afterAll(async () => {
  rmSync(DIR, { recursive: true, force: true });
  await removeAll(NS);
});

describe('refuses invalid input with exit code 2 and changes nothing', () => {
  const wrong: [name: string, args: () => string[], message: RegExp][] = [
    ['unknown profile', () => ['--profile', 'nope'], /there is no profile "nope"/],
    ['profile that is a path', () => ['--profile', '../../etc/passwd'], /there is no profile/],
    [
      'unknown key, with file and line',
      () => ['-f', file('key.yaml', 'profile: quickstart\nloki:\n  retentoin: 24h\n')],
      /key\.yaml line 3: unknown setting "loki\.retentoin"/,
    ],
    [
      'unknown key at the top',
      () => ['-f', file('top.yaml', '# a comment\nlokki: {}\n')],
      /top\.yaml line 2: unknown setting "lokki"/,
    ],
    [
      'wrong value, with file and line',
      () => ['-f', file('value.yaml', 'genai:\n  sampling:\n    rate: 2\n')],
      /value\.yaml line 3: genai\.sampling\.rate is not valid/,
    ],
    ['wrong type', () => ['-f', file('type.yaml', 'loki: yes please\n')], /type\.yaml line 1: loki is not valid/],
    ['file that is not YAML', () => ['-f', file('broken.yaml', 'a: [1\n')], /broken\.yaml is not valid YAML/],
    ['file that is a list', () => ['-f', file('list.yaml', '- a\n')], /list\.yaml must be a map/],
    ['file that does not exist', () => ['-f', join(DIR, 'absent.yaml')], /absent\.yaml cannot be read/],
    [
      'unknown profile named in a file',
      () => ['-f', file('profile.yaml', 'profile: huge\n')],
      /there is no profile "huge"/,
    ],
    ['retention', () => ['--retention', '5'], /prometheus\.server\.retention is not valid/],
    ['budget that is not a number', () => ['--budget', 'plenty'], /--budget takes a number, not "plenty"/],
    ['budget below zero', () => ['--budget', '-1'], /budgetLimit is not valid/],
    ['sampling rate', () => ['--sampling-rate', '1.5'], /genai\.sampling\.rate is not valid/],
    ['replicas', () => ['--gateway-replicas', '0'], /replicaCount is not valid/],
    ['Service type', () => ['--expose', 'Internet'], /grafana\.service\.type is not valid/],
    ['registry', () => ['--registry', 'a b'], /imageRegistry is not valid/],
    ['namespace', () => ['--namespace', 'Not_A_Name'], /namespace is not valid/],
    ['component', () => ['--disable', 'lokki'], /there is no component "lokki"/],
    ['phase', () => ['--only', 'dashbords'], /there is no phase "dashbords"/],
    ['timeout', () => ['--timeout', 'soon'], /--timeout takes seconds, not "soon"/],
  ];
  it.each(wrong)('%s', async (_name, args, message) => {
    expect((await refuses(NS, [...INSTALL, ...args()], 2)).what).toMatch(message);
  });

  it('suggests the closest setting', async () => {
    const { next } = await refuses(NS, [...INSTALL, '-f', file('near.yaml', 'loki: {retentoin: 24h}\n')], 2);
    expect(next).toBe('did you mean "loki.retention"?');
  });

  it.each([
    ['unknown flag', ['install', '--yess']],
    ['unknown command', ['instal']],
    ['flag without its value', ['install', '--namespace']],
  ])('%s', async (_name, args) => {
    const done = await cli(args);
    expect(done.code).toBe(2);
    expectNoCrash(done);
    expect(done.stderr).toMatch(/^error: /m);
    expect(done.stderr).toContain('--help');
  });

  it('plan and --print-config refuse the same input', async () => {
    for (const args of [
      ['plan', '--namespace', NS],
      ['install', '--print-config'],
    ]) {
      const { what } = await refuses(NS, [...args, '-f', file('both.yaml', 'loki: {retentoin: 24h}\n')], 2);
      expect(what).toContain('unknown setting "loki.retentoin"');
    }
  });

  it('--json prints the error as one JSON line on stdout', async () => {
    const done = await cli([...INSTALL, '--json', '--profile', 'nope']);
    expect(done.code).toBe(2);
    expect(done.stderr).toBe('');
    expect(JSON.parse(done.stdout)).toMatchObject({ error: { what: 'there is no profile "nope"' }, exit: 2 });
  });
});

describe('never waits for input without a terminal', () => {
  const ways: Record<string, (args: string[]) => Promise<Run>> = {
    'an empty stdin': (args) => cli(args),
    'a silent stdin': (args) => run(process.execPath, [CLI, ...args], { silentStdin: true }),
    'a closed stdin': (args) => run('sh', ['-c', 'exec "$0" "$@" <&-', process.execPath, CLI, ...args]),
  };
  const commands = [['install'], ['install', '--json'], ['install', '--only', 'dashboards']];
  it.each(Object.keys(ways))('with %s, names the flag to pass', async (way) => {
    const before = await footprint(NS);
    for (const args of commands) {
      const done = await ways[way]!([...args, '--namespace', NS]);
      expect(done.code, done.stderr).toBe(2);
      expectNoCrash(done);
      expect(`${done.stderr}${done.stdout}`).toMatch(/no terminal to prompt on[^]*--yes/);
    }
    expect(await footprint(NS)).toEqual(before);
  });

  it('does not crash when the reader of its output exits', async () => {
    const done = await run('sh', ['-c', '"$0" "$@" | true', process.execPath, CLI, 'plan', '--namespace', NS]);
    expectNoCrash(done);
  });
});

describe('errors name the next command', () => {
  it('for commands that need an installation', async () => {
    for (const args of [['status'], ['open', '--port', '0'], ['backup', '--output', join(DIR, 'none')]]) {
      const { what, on, next } = await refuses(NS, [...args, '--namespace', NS], 1);
      expect(what).toBe('genai-obs is not installed here');
      expect(on).toContain(NS);
      expect(next).toBe(`genai-obs install --namespace ${NS}`);
    }
  });

  it('uninstall reports that there is nothing to remove', async () => {
    const done = await cli(['uninstall', '--namespace', NS, '--yes']);
    expect(done.code).toBe(0);
    expect(done.stderr).toContain('has no objects of genai-obs');
    expect(errorOf(done).what).toBe('');
  });
});

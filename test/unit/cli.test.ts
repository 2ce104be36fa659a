import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { profileNames } from '../../src/profile/layers.ts';
import { golden } from './support/golden.ts';

interface Bundle {
  bundle: (outdir: string) => Promise<object>;
  startupPath: (metafile: object) => { bytes: number; inputs: string[] };
}

const VERBS = [
  'install',
  'plan',
  'status',
  'doctor',
  'backup',
  'restore',
  'mirror',
  'uninstall',
  'open',
  'profile',
  'macos',
  'harden',
  'connect',
  'completion',
];
const NODE = process.execPath;
/** Inside the package, so that the bundle finds templates/ and profiles/ as dist/ does. */
const dist = resolve(`node_modules/.cache/genai-obs-cli-${process.pid}`);
const home = mkdtempSync(join(tmpdir(), 'genai-obs-cli-'));
let startup: { bytes: number; inputs: string[] };

beforeAll(async () => {
  // A name that TypeScript does not follow: the scripts have no types.
  const script: string = '../../scripts/bundle.mjs';
  const { bundle, startupPath }: Bundle = await import(script);
  startup = startupPath(await bundle(dist));
}, 60_000);
afterAll(() => [dist, home].forEach((dir) => rmSync(dir, { recursive: true, force: true })));

function run(
  args: string[],
  env: Record<string, string> = {},
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(NODE, [join(dist, 'cli.js'), ...args], {
    encoding: 'utf8',
    cwd: home,
    timeout: 30_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: home, COLUMNS: '120', ...env },
  });
  return { code: status, stdout, stderr };
}

/** Each page costs a process, so it is read once. */
const pages = new Map<string, ReturnType<typeof run>>();
function help(...words: string[]): ReturnType<typeof run> {
  const key = words.join(' ');
  const page = pages.get(key) ?? run([...words, '--help']);
  pages.set(key, page);
  return page;
}

const STACK = /^\s+at .*\(?.+:\d+:\d+\)?$|node:internal|Unhandled|triggerUncaughtException/m;

describe('--help', () => {
  it('of every verb has examples of the verb', () => {
    for (const verb of VERBS) {
      const { code, stdout, stderr } = help(verb);
      expect([code, stderr], verb).toEqual([0, '']);
      const examples =
        stdout
          .split('\nExamples:\n')[1]
          ?.split('\n')
          .filter((line) => line.startsWith('  $ ')) ?? [];
      expect(examples.length, verb).toBeGreaterThan(0);
      for (const example of examples) expect(example).toContain(`genai-obs ${verb}`);
    }
  });

  it('matches test/golden/help.txt', () => {
    const text = [
      [],
      ...VERBS.map((verb) => [verb]),
      ['backup', 'verify'],
      ['macos', 'bundle'],
      ['harden', 'audit'],
      ...['show', 'list', 'validate'].map((verb) => ['profile', verb]),
    ].map((words) => `$ genai-obs ${[...words, '--help'].join(' ')}\n${help(...words).stdout}`);
    golden('help.txt', text.join('\n'));
  });

  it('lists every verb, and loads only commander', () => {
    const { stdout } = help();
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^  ${verb}[ |]`, 'm'));
    const own = startup.inputs.filter((input) => !/\/(commander|@commander-js)\//.test(input));
    expect(own.filter((input) => !input.startsWith('src/cli')).toSorted()).toEqual([
      'src/app/guard.ts',
      'src/core/root.ts',
    ]);
    expect(startup.bytes).toBeLessThan(60_000);
  });

  it('--version prints the version of the package', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('bad input', () => {
  it.each<[string[], RegExp]>([
    [['instal'], /unknown command 'instal'[^]*Did you mean install/],
    [[], /Usage: genai-obs/],
    [['install', '--nope'], /unknown option '--nope'/],
    [['install', '--retentoin', '3d'], /unknown option '--retentoin'[^]*Did you mean --retention/],
    [['install', '--budget'], /argument missing/],
    [['install', '--yes', '--budget', 'much'], /--budget takes a number, not "much"/],
    [['install', '--yes', '--timeout', 'soon'], /--timeout takes seconds/],
    [['install', '--yes', '--only', 'everything'], /there is no phase "everything"/],
    [['install', '--yes', '--profile', 'huge'], /there is no profile "huge"/],
    [['install', '--yes', '-f', 'nowhere.yaml'], /nowhere\.yaml cannot be read/],
    [['install', '--yes', '--disable', 'mimir'], /there is no component "mimir"/],
    [['install', '--yes', '--namespace', 'Not_A_Label'], /namespace is not valid/],
    [['plan', '--retention', 'forever'], /prometheus\.server\.retention is not valid/],
    [['doctor', '--stage', 'dress-rehearsal'], /Allowed choices are preflight, stack/],
    [['doctor', '-o', 'pdf'], /Allowed choices are table, short, json, junit/],
    [['doctor', '--profile', 'huge'], /there is no profile "huge"/],
    [['doctor', '-f', 'nowhere.yaml'], /nowhere\.yaml cannot be read/],
    [['doctor', '--from', 'facts.json', '--profile', 'k3s'], /--from and --profile exclude each other/],
    [['doctor', '--from', 'facts.json', '-f', 'k3s.yaml'], /--from and --file exclude each other/],
    [['uninstall', '--timeout', 'x'], /--timeout takes seconds/],
    [['open', '--port', '99999'], /--port takes a port number/],
    [['macos'], /Usage: genai-obs macos/],
    [['harden', 'audit'], /harden audit needs an output folder/],
    [['macos', 'bundle', '--host', 'studio-1', '--endpoint', 'gw:4317'], /needs an output folder/],
    [
      ['macos', 'bundle', '--host', 'Studio 1', '--endpoint', 'gw:4317', '--out', 'macs'],
      /--host takes a DNS label, not "Studio 1"/,
    ],
    [['connect', 'cobol'], /Allowed choices are python, node, java, vllm, litellm, env/],
    [['connect', 'node', '--protocol', 'http/json'], /--protocol takes grpc or http\/protobuf/],
    [['connect', '--app', 'my app'], /--app takes letters/],
    [['connect', '--apply', 'pod/x'], /--apply takes deployment\/NAME/],
    [['connect', '--apply', 'deployment/x', '--profile', 'quickstart'], /--apply needs the installed stack/],
    [['connect', '--apply', 'deployment/x', '--remove', 'deployment/x'], /--apply and --remove exclude each other/],
    [['restore'], /missing required argument 'path'/],
    [['completion', 'powershell'], /there is no completion for "powershell"/],
    [['completion'], /missing required argument 'shell'/],
    [['status', 'extra'], /too many arguments/],
  ])('%j: exit code 2, a message, no stack trace', (args, message) => {
    const { code, stdout, stderr } = run(args, { KUBECONFIG: join(home, 'nowhere') });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(STACK);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('--print-config needs no cluster, and its output is a valid configuration', () => {
    const { code, stdout } = run(['install', '--print-config', '--budget', '5']);
    expect(code).toBe(0);
    const path = join(home, 'printed.yaml');
    writeFileSync(path, stdout);
    expect(run(['install', '--print-config', '-f', path]).stdout).toBe(stdout);
    expect(stdout).toContain('budgetLimit: 5');
  });
});

describe('profile', () => {
  const file = (name: string, text: string): string => {
    const path = join(home, name);
    writeFileSync(path, text);
    return path;
  };

  it('list prints every profile with a description', () => {
    const lines = run(['profile', 'list']).stdout.trim().split('\n');
    expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(profileNames());
    for (const line of lines) expect(line).toMatch(/^\S+ {2,}\S.{10,}/);
  });

  it('show prints the file of a profile, and refuses an unknown one', () => {
    expect(run(['profile', 'show', 'k3s']).stdout).toBe(readFileSync('profiles/k3s.yaml', 'utf8'));
    expect(run(['profile', 'show']).stdout).toBe(readFileSync('profiles/quickstart.yaml', 'utf8'));
    const { code, stderr, stdout } = run(['profile', 'show', 'nope']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('there is no profile "nope"');
  });

  it('show --resolved prints every setting, as a valid configuration', () => {
    const { stdout } = run(['profile', 'show', 'k3s', '--resolved']);
    expect(parse(stdout)).toMatchObject({
      profile: 'k3s',
      loki: { chart: 'loki' },
      genai: { sampling: { rate: 0.1 } },
      jaeger: { enabled: false },
    });
    expect(stdout).not.toContain('extends');
    expect(run(['install', '--print-config', '-f', file('resolved.yaml', stdout)]).stdout).toBe(stdout);
    const over = file('over.yaml', 'extends: k3s\nloki: { size: 7Gi }\n');
    expect(parse(run(['profile', 'show', '-f', over]).stdout)).toMatchObject({ loki: { size: '7Gi', chart: 'loki' } });
  });

  it('validate checks every file, and names file, line and key of each error', () => {
    const good = file('good.yaml', 'extends: k3s\nprofile: mine\nalertmanager: { enabled: false }\n');
    const bad = file('bad.yaml', 'loki:\n  sise: 1Gi\n');
    expect(run(['profile', 'validate', good])).toEqual({
      code: 0,
      stdout: `${good} is valid: profile mine, 8 components\n`,
      stderr: '',
    });
    const { code, stdout, stderr } = run(['profile', 'validate', bad, good]);
    expect(code).toBe(2);
    expect(stdout).toBe(`${good} is valid: profile mine, 8 components\n`);
    expect(stderr).toContain(`${bad} line 2: unknown setting "loki.sise"`);
    expect(stderr).toContain('did you mean "loki.size"?');
    expect(stderr).not.toMatch(STACK);
  });
});

it('macos bundle needs no cluster, and reports what it wrote', () => {
  const args = [
    'macos',
    'bundle',
    '--host',
    'studio-1',
    '--host',
    'studio-2',
    '--endpoint',
    'gateway:4317',
    '--out',
    'macs',
  ];
  const { code, stdout, stderr } = run([...args, '--json'], { KUBECONFIG: join(home, 'nowhere') });
  expect(code).toBe(0);
  expect(stderr).toContain('unencrypted');
  const { hosts, access } = JSON.parse(stdout) as { access: string; hosts: { path: string; files: string[] }[] };
  expect([access, ...hosts.map(({ path }) => path)]).toEqual(['plain', 'macs/studio-1', 'macs/studio-2']);
  for (const { path, files } of hosts) expect(readdirSync(join(home, path)).toSorted()).toEqual(files);
  // Running it again overwrites nothing.
  expect(run([...args, '--json'])).toMatchObject({
    code: 2,
    stdout: expect.stringContaining('is not empty') as string,
    stderr: '',
  });
}, 30_000);

describe('a cluster that cannot be used', () => {
  const kubeconfig = (name: string, text: string): string => {
    const path = join(home, name);
    writeFileSync(path, text);
    return path;
  };
  const dead = [
    'apiVersion: v1',
    'kind: Config',
    'current-context: dead',
    'clusters: [{name: c, cluster: {server: "https://127.0.0.1:9"}}]',
    'users: [{name: u, user: {token: very-secret-token}}]',
    'contexts: [{name: dead, context: {cluster: c, user: u}}]',
    '',
  ].join('\n');
  const cases: [string, () => string, RegExp, number][] = [
    ['no kubeconfig', () => join(home, 'nowhere'), /there is no kubeconfig at/, 2],
    ['an empty kubeconfig', () => kubeconfig('empty', ''), /kubeconfig .* cannot be read[^]*it is empty/, 2],
    ['a broken kubeconfig', () => kubeconfig('broken', 'a: [1'), /cannot be read/, 2],
    [
      'a broken line with a token, without the token',
      () => kubeconfig('torn', 'users: [{name: u, user: {token: very-secret-token'),
      /cannot be read/,
      2,
    ],
    [
      'no current context',
      () => kubeconfig('none', dead.replace('current-context: dead', 'current-context: ""')),
      /no current context/,
      2,
    ],
    [
      'a context that does not exist',
      () => kubeconfig('other', dead.replace('current-context: dead', 'current-context: other')),
      /no context "other"[^]*its contexts: dead/,
      2,
    ],
    [
      'plain http, which client-node refuses',
      () => kubeconfig('http', dead.replace('https', 'http')),
      /entry cannot be used[^]*context dead/,
      2,
    ],
  ];

  it.each(cases)('reports %s', (_name, path, message, exit) => {
    const { code, stdout, stderr } = run(['status'], { KUBECONFIG: path() });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(STACK);
    expect(stderr).not.toContain('very-secret-token');
    expect(stdout).toBe('');
    expect(code).toBe(exit);
  });

  it('every verb reports a server that does not answer, without the token', () => {
    for (const verb of [['install', '--yes'], ['plan'], ['uninstall', '--yes'], ['open', '--port', '0']]) {
      const { code, stdout, stderr } = run(verb, { KUBECONFIG: kubeconfig('dead', dead) });
      expect(stderr, verb[0]).toMatch(/does not answer[^]*context dead \(https:\/\/127\.0\.0\.1:9\)/);
      expect(stderr, verb[0]).not.toMatch(STACK);
      expect(stderr).not.toContain('very-secret-token');
      expect([stdout, code], verb[0]).toEqual(['', 1]);
    }
  }, 30_000);

  it('--json reports it as one JSON object on stdout, with the same exit code', () => {
    for (const verb of [['install', '--yes'], ['status']]) {
      const { code, stdout, stderr } = run([...verb, '--json'], { KUBECONFIG: kubeconfig('dead', dead) });
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toMatchObject({
        error: { what: expect.stringContaining('does not answer') as string },
        exit: 1,
      });
      expect(code).toBe(1);
    }
  });
});

describe('completion', () => {
  const script = (shell: string): string => run(['completion', shell]).stdout;

  it('for bash is valid, and completes verbs and flags', () => {
    const path = join(home, 'completion.bash');
    writeFileSync(path, script('bash'));
    expect(spawnSync('bash', ['-n', path], { encoding: 'utf8' }).stderr).toBe('');
    const complete = (words: string): string[] => {
      const cursor = 'COMP_CWORD=$((${#COMP_WORDS[@]} - 1))';
      const test = `source ${path}; COMP_WORDS=(${words}); ${cursor}; _genai_obs; echo "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', test], { encoding: 'utf8' }).stdout.trim().split(' ');
    };
    expect(complete('genai-obs un')).toEqual(['uninstall']);
    expect(complete('genai-obs ""')).toEqual(expect.arrayContaining(VERBS));
    expect(complete('genai-obs install --ret')).toEqual(['--retention']);
    expect(complete('genai-obs connect li')).toEqual(['litellm']);
    expect(complete('genai-obs uninstall --ret')).toEqual(['']);
    expect(complete('genai-obs profile va')).toEqual(['validate']);
    expect(complete('genai-obs doctor --')).toEqual(expect.arrayContaining(['--probe', '--output', '--help']));
  });

  it('for zsh is the bash script after bashcompinit; for fish it lists every verb and flag', () => {
    expect(script('zsh')).toBe(`autoload -U +X bashcompinit && bashcompinit\n${script('bash')}`);
    const fish = script('fish');
    for (const verb of VERBS) expect(fish).toContain(`-a ${verb} -d '`);
    expect(fish).toContain("complete -c genai-obs -n '__fish_seen_subcommand_from install' -l retention -d '");
    // An apostrophe in a description must not end the quotes.
    for (const line of fish.trim().split('\n')) expect(line.replaceAll("\\'", '').split("'").length % 2, line).toBe(1);
  });
});

describe('a closed pipe', () => {
  it('is not an error', () => {
    for (const args of ['--help', 'install --print-config', 'completion bash']) {
      const { stderr, stdout } = spawnSync(
        'bash',
        ['-c', `(${NODE} ${join(dist, 'cli.js')} ${args}; echo "code $?" >&2) | true`],
        {
          encoding: 'utf8',
          cwd: home,
        },
      );
      expect([stderr, stdout], args).toEqual(['code 0\n', '']);
    }
  });
});

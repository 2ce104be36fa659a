import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOME, writeBundles } from '../../src/macos/bundle.ts';
import { type BundleFlags, requestOf } from '../../src/macos/request.ts';
import { certs, noCerts } from './support/certs.ts';
import { stubsIn } from './support/programs.ts';
import { modeOf, tree } from './support/tree.ts';

const run = promisify(execFile);
const work = mkdtempSync(join(tmpdir(), 'genai-obs-macos-'));
const at = (...parts: string[]): string => join(work, ...parts);
let count = 0;

beforeAll(() => {
  writeFileSync(at('token'), 'c2VjcmV0LXRva2Vu');
  if (noCerts === undefined) certs(at('certs'), ['studio-1']);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Writes the bundle and returns its folder. */
function made(over: Partial<BundleFlags> = {}): string {
  const request = requestOf({
    host: ['studio-1'],
    endpoint: 'k3s.example:4317',
    interval: '15s',
    out: at(`out-${++count}`),
    ...over,
  });
  writeBundles(request, request.out);
  return join(request.out, request.hosts[0] ?? '');
}

const python = ((): boolean => {
  try {
    execFileSync('python3', ['-c', 'import plistlib'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!python)(`LaunchDaemons${python ? '' : ' (skipped: no python3, whose plistlib reads them)'}`, () => {
  interface Plist {
    Label: string;
    ProgramArguments: string[];
    KeepAlive?: boolean;
    RunAtLoad?: boolean;
    Sockets?: { Listeners: Record<string, string> };
    inetdCompatibility?: { Wait: boolean };
  }
  const load = (name: string): Plist => {
    const script = 'import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], "rb"))))';
    return JSON.parse(
      execFileSync('python3', ['-c', script, join('templates/macos', name)], { encoding: 'utf8' }),
    ) as Plist;
  };

  it('have the names of their files, and run programs that install.sh installs', () => {
    const files = readdirSync('templates/macos').filter((name) => name.endsWith('.plist'));
    expect(files).toHaveLength(3);
    for (const file of files) {
      const { Label, ProgramArguments } = load(file);
      expect(`${Label}.plist`).toBe(file);
      const paths = ProgramArguments.flatMap((text) => /\/usr\/local\/\S+$/.exec(text) ?? []);
      expect(paths.length).toBeGreaterThan(0);
      for (const path of paths)
        expect(readFileSync('templates/macos/install.sh', 'utf8')).toContain(path.replace(HOME, '"$home').concat('"'));
    }
  });

  it('listen on loopback only, on the ports that the collector scrapes', () => {
    const config = readFileSync('templates/macos/config.yaml', 'utf8');
    const macmon = load('dev.genai-obs.macmon.plist');
    expect(macmon).toMatchObject({ KeepAlive: true, RunAtLoad: true });
    expect(macmon.ProgramArguments.slice(1)).toEqual(['serve', '--host', '127.0.0.1', '--port', '9450']);
    expect(config).toContain('127.0.0.1:9450');
    const pressure = load('dev.genai-obs.pressure.plist');
    expect(pressure.Sockets?.Listeners).toMatchObject({ SockNodeName: '127.0.0.1', SockServiceName: '9451' });
    expect(pressure.inetdCompatibility).toEqual({ Wait: false });
    expect(config).toContain('127.0.0.1:9451');
    expect(load('dev.genai-obs.otelcol.plist')).toMatchObject({ KeepAlive: true, RunAtLoad: true });
  });
});

const stubs = (programs: Record<string, string>): string => stubsIn(at(`bin-${++count}`), programs);

describe('install.sh and uninstall.sh', () => {
  const MAC = {
    uname: 'case "$1" in -s) echo Darwin ;; -m) echo arm64 ;; esac',
    id: 'echo 0',
    chown: 'echo "chown $*" >>"$CALLS"',
    macmon: 'echo "macmon 0.8.2"',
    'otelcol-contrib': '[ "$1" != --version ] || echo "otelcol-contrib version 0.158.0"; echo "otelcol $*" >>"$CALLS"',
    // Like launchd, rejects a service that is already loaded.
    launchctl: `echo "launchctl $*" >>"$CALLS"
loaded=$CALLS.loaded
touch "$loaded"
case "$1" in
print) grep -qx "$2" "$loaded" ;;
bootout) grep -vx "$2" "$loaded" >"$loaded.new"; mv "$loaded.new" "$loaded" ;;
bootstrap)
  label=$2/$(basename "$3" .plist)
  ! grep -qx "$label" "$loaded" && [ -f "$3" ] && echo "$label" >>"$loaded" ;;
esac`,
  };

  /** A simulated Mac: an empty root folder and stub programs. */
  function mac(over: Record<string, string> = {}) {
    const root = at(`root-${++count}`);
    for (const dir of ['usr/local', 'Library/LaunchDaemons']) mkdirSync(join(root, dir), { recursive: true });
    const calls = at(`calls-${count}`);
    writeFileSync(calls, '');
    const env = { PATH: `${stubs({ ...MAC, ...over })}:/usr/bin:/bin`, GENAI_OBS_ROOT: root, CALLS: calls };
    const sh = (dir: string, script: string): Promise<{ stdout: string; stderr: string }> =>
      run('sh', [join(dir, script)], { env });
    const loaded = (): string[] => readFileSync(`${calls}.loaded`, 'utf8').split('\n').filter(Boolean).toSorted();
    return { root, sh, loaded, calls: () => readFileSync(calls, 'utf8') };
  }

  const LOADED = ['system/dev.genai-obs.macmon', 'system/dev.genai-obs.otelcol', 'system/dev.genai-obs.pressure'];

  it.each(['install.sh', 'uninstall.sh', 'pressure.sh'])('%s is valid for sh', (script) => {
    expect(() => execFileSync('sh', ['-n', join('templates/macos', script)], { stdio: 'pipe' })).not.toThrow();
  });

  it('uninstall removes everything that two installs created, and nothing else', async () => {
    const { root, sh, loaded, calls } = mac();
    writeFileSync(join(root, 'Library/LaunchDaemons/com.example.plist'), '');
    const before = tree(root);
    const dir = made({ tokenFile: at('token') });
    await sh(dir, 'install.sh');
    expect(loaded()).toEqual(LOADED);
    expect(calls()).toContain(`otelcol validate --config=${root}${HOME}/etc/config.yaml`);
    expect(tree(root).filter((path) => !before.includes(path))).toEqual(
      [
        ...LOADED.map((label) => `Library/LaunchDaemons/${label.slice(7)}.plist`),
        'usr/local/genai-obs',
        ...[
          'bin',
          'bin/macmon',
          'bin/otelcol-contrib',
          'bin/pressure.sh',
          'etc',
          'etc/config.yaml',
          'etc/token',
          'uninstall.sh',
          'var',
          'var/log',
          'var/queue',
        ].map((path) => `usr/local/genai-obs/${path}`),
      ].toSorted(),
    );
    const home = join(root, HOME);
    expect(['etc', 'etc/token', 'etc/config.yaml', 'var/queue'].map((path) => modeOf(join(home, path)))).toEqual([
      '700',
      '600',
      '600',
      '700',
    ]);

    // Stops services before it replaces their programs, and loads none twice.
    await sh(dir, 'install.sh');
    expect(loaded()).toEqual(LOADED);
    writeFileSync(join(home, 'var/queue/exporter'), 'unsent');
    writeFileSync(join(home, 'var/log/otelcol.log'), 'text');
    // Works without the bundle.
    await sh(home, 'uninstall.sh');
    expect(loaded()).toEqual([]);
    expect(tree(root)).toEqual(before);
    await sh(dir, 'uninstall.sh');
    expect(tree(root)).toEqual(before);
  });

  it('a bundle with other access removes the old secret; foreign files stay', async () => {
    const { root, sh } = mac();
    await sh(made({ tokenFile: at('token') }), 'install.sh');
    const dir = made();
    await sh(dir, 'install.sh');
    expect(existsSync(join(root, HOME, 'etc/token'))).toBe(false);
    writeFileSync(join(root, HOME, 'bin/mine'), '');
    expect((await sh(dir, 'uninstall.sh')).stderr).toContain('kept, because it contains other files');
    expect(tree(join(root, HOME))).toEqual(['bin', 'bin/mine']);
  });

  it.skipIf(noCerts !== undefined)(`only root can read keys${noCerts ? ` (skipped: ${noCerts})` : ''}`, async () => {
    const { root, sh } = mac();
    await sh(made({ mtls: at('certs') }), 'install.sh');
    for (const file of ['ca.crt', 'tls.crt', 'tls.key'])
      expect(modeOf(join(root, HOME, 'etc/tls', file)), file).toBe('600');
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['Linux', { uname: 'echo Linux' }, /this is not a Mac/],
    [
      'an Intel Mac',
      { uname: 'case "$1" in -s) echo Darwin ;; -m) echo x86_64 ;; esac' },
      /macmon requires Apple silicon/,
    ],
    ['a user who is not root', { id: 'echo 501' }, /must run as root[^]*sudo sh install\.sh/],
    ['a macmon that does not run', { macmon: 'exit 1' }, /macmon --version fails[^]*brew install macmon/],
    [
      'a macmon that cannot read an M3 Ultra',
      { macmon: 'echo "macmon 0.8.1"' },
      /too old: macmon 0\.8\.1; needs 0\.8\.2 or newer/,
    ],
    [
      'an old collector',
      { 'otelcol-contrib': 'echo "otelcol-contrib version 0.99.0"' },
      /too old: .*0\.99\.0; needs 0\.152\.0/,
    ],
  ])('%s: fails before it changes anything', async (_name, over, message) => {
    const { root, sh, calls } = mac(over);
    const before = tree(root);
    await expect(sh(made(), 'install.sh')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(message) as unknown,
    });
    expect(tree(root)).toEqual(before);
    expect(calls()).not.toContain('launchctl');
  });
});

describe('pressure.sh', () => {
  const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9451\r\n\r\n';
  const CALM = {
    sysctl: '[ "$*" = "-n kern.memorystatus_vm_pressure_level" ] && echo 1',
    notifyutil: 'echo "com.apple.system.thermalpressurelevel 0"',
    pmset: 'echo "Note: No thermal warning level has been recorded"',
  };

  function answer(programs: Record<string, string>): Record<string, string> {
    const env = { PATH: `${stubs({ ...CALM, ...programs })}:/usr/bin:/bin` };
    const text = execFileSync('sh', ['templates/macos/pressure.sh'], { input: REQUEST, encoding: 'utf8', env });
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(Number(/Content-Length: (\d+)/.exec(head)?.[1])).toBe(Buffer.byteLength(body));
    return Object.fromEntries(
      body.split('\n').flatMap((line) => (/^[a-z]/.test(line) ? [line.split(' ') as [string, string]] : [])),
    );
  }

  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['no pressure', {}, { macos_memory_pressure: '1', macos_thermal_throttling: '0' }],
    [
      'low memory, hot',
      { sysctl: 'echo 4', notifyutil: 'echo "x 2"' },
      { macos_memory_pressure: '4', macos_thermal_throttling: '2' },
    ],
    [
      'without the notification, throttled',
      {
        notifyutil: 'exit 1',
        pmset: 'printf "CPU Power notify\\n\\tCPU_Scheduler_Limit \\t= 100\\n\\tCPU_Speed_Limit \\t= 74\\n"',
      },
      { macos_memory_pressure: '1', macos_thermal_throttling: '1' },
    ],
    [
      'without the notification, not throttled',
      { notifyutil: 'exit 1' },
      { macos_memory_pressure: '1', macos_thermal_throttling: '0' },
    ],
    [
      'omits unreadable values',
      { sysctl: 'echo "unknown oid" >&2; exit 1', notifyutil: 'exit 1', pmset: 'exit 1' },
      {},
    ],
  ])('%s', (_name, programs, expected) => {
    expect(answer(programs)).toEqual(expected);
  });
});

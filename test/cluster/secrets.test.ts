import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Run, cli, get, kubectl, uninstallOnInterrupt, removeAll, run } from './support/cluster.ts';
import { startInstall } from './support/install.ts';
import { records } from './support/release.ts';
import { sample } from './support/sampler.ts';

const NS = 'it-secrets';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-secrets-'));
/** Temporary files of the command under test, and of nothing else. */
const TMP = join(DIR, 'tmp');
/** Files that the user asked for. */
const OUT = join(DIR, 'out');
const env = { TMPDIR: TMP };
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Where the secret, or its base64 encoding, occurs. */
function leaks(secret: string, texts: Iterable<[text: string, where: string]>): string[] {
  return [...texts]
    .filter(
      ([text]) => text.includes(secret) || text.includes(base64(secret)) || text.includes(base64(`admin:${secret}`)),
    )
    .map(([, where]) => where);
}

describe('secrets', () => {
  const outputs: [string, string][] = [];
  const runCli = async (args: string[], more: NodeJS.ProcessEnv = {}): Promise<Run> => {
    const done = await cli([...args, '--namespace', NS], { ...env, ...more });
    outputs.push([`${done.stdout}\n${done.stderr}`, `output of genai-obs ${args.join(' ')}`]);
    return done;
  };

  beforeAll(async () => {
    uninstallOnInterrupt(NS);
    for (const folder of [TMP, OUT]) mkdirSync(folder, { recursive: true });
    await removeAll(NS);
  });
  afterAll(async () => {
    rmSync(DIR, { recursive: true, force: true });
    await removeAll(NS);
  });

  it('the sampler sees an argument, a variable and a short-lived file', async () => {
    const sampler = sample([TMP]);
    const canary = 'Canary-7d1f0c2e9b';
    const file = join(TMP, 'canary');
    await run('sh', ['-c', 'sleep 0.3; : "$0"', `argv-${canary}`]);
    await run('sh', ['-c', 'sleep 0.3'], { env: { PROBE: `env-${canary}` } });
    await run('sh', ['-c', `echo file-${canary} > ${file}; sleep 0.3; rm ${file}`]);
    const { seen } = sampler.stop();
    const found = leaks(canary, seen);
    for (const kind of ['cmdline', 'environ', file])
      expect(
        found.some((where) => where.includes(kind)),
        `${kind} among ${found.join(', ')}`,
      ).toBe(true);
  });

  it('the generated password is in no argument, variable, file, output, journal or helm release', async () => {
    const sampler = sample([TMP]);
    const plain = await runCli(['install', '--yes']);
    expect(plain.code, plain.stderr).toBe(0);
    const again = await runCli(['install', '--yes', '--json', '--budget', '77']);
    expect(again.code, again.stderr).toBe(0);
    // Run every command that logs in to Grafana.
    await runCli(['doctor', '--probe', '-o', 'json'], { GENAI_OBS_DEBUG: '1' });
    await runCli(['doctor', '-v']);
    await runCli(['status', '--json']);
    await runCli(['plan']);
    const opened = startInstall(['open', '--port', '0', '--namespace', NS], env);
    await opened.said('get secret grafana-admin');
    opened.child.kill('SIGINT');
    outputs.push([JSON.stringify(await opened.ended), 'output of genai-obs open']);
    await runCli(['doctor', '--save-facts', join(OUT, 'facts.json')]);
    expect((await runCli(['backup', '--output', join(OUT, 'backup')])).code).toBe(0);

    const secret = await get<{ data: Record<string, string> }>('secret', 'grafana-admin', '-n', NS);
    const password = Buffer.from(secret.data['admin-password'] ?? '', 'base64').toString();
    expect(password.length).toBeGreaterThan(20);
    const journal = await kubectl(['-n', NS, 'get', 'configmap', 'genai-obs-journal', '-o', 'yaml']);
    const maps = await kubectl(['-n', NS, 'get', 'configmap', '-o', 'yaml', '--show-managed-fields']);
    const events = await kubectl(['-n', NS, 'get', 'events', '-o', 'yaml']);
    outputs.push(
      [journal, 'the journal'],
      [maps, 'the ConfigMaps'],
      [events, 'the events'],
      [await records(NS), 'the Helm releases'],
    );
    const wrong = await runCli([
      'install',
      '--yes',
      '--only',
      'grafana',
      '--timeout',
      '5',
      '--registry',
      `registry.invalid/${NS}`,
    ]);
    expect(wrong.code).not.toBe(0);
    await runCli(['uninstall', '--delete-data', '--yes', '--json']);

    const { seen, looked, rounds, processes } = sampler.stop();
    expect(leaks(password, outputs)).toEqual([]);
    expect(leaks(password, seen)).toEqual([]);
    const written = readdirSync(OUT, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(
      leaks(
        password,
        written.map(({ parentPath, name }) => [readFileSync(join(parentPath, name), 'latin1'), join(parentPath, name)]),
      ),
    ).toEqual([]);
    // Make sure that the sampler read often enough, and the right programs.
    const where = [...seen.values()];
    const texts = [...seen.keys()];
    expect(rounds).toBeGreaterThan(200);
    expect(processes).toBeGreaterThan(50);
    for (const name of ['helm', 'kubectl', 'node'])
      for (const part of ['cmdline', 'environ'])
        expect([...looked], 'programs sampled').toContain(`${part} of ${name}`);
    expect(
      texts.some((text) => text.includes('port-forward')),
      'the sampler saw no port-forward',
    ).toBe(true);
    expect(
      texts.some((text) => text.includes('--values\0-\0')),
      'the sampler saw no helm with values',
    ).toBe(true);
    // Temporary files were readable only by their owner.
    expect(where.filter((one) => one.startsWith(TMP) && !one.endsWith('mode 600'))).toEqual([]);
  });

  it('temporary files are deleted, and only the owner can read the folder of a backup', () => {
    expect(statSync(join(OUT, 'backup')).mode & 0o077).toBe(0);
    expect(readdirSync(TMP)).toEqual([]);
  });
});

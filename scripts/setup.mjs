// Prepares a fresh machine for `npm run demo` and `npm test`. Uses only Node's own modules: nothing is installed yet.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const BED_HOME = process.env.BED ?? join(homedir(), '.cache', 'genai-obs-bed');
const BED = join(ROOT, 'test', 'bed', 'bed');

export const say = (text) => process.stderr.write(`${text}\n`);

/** Runs a command and sends its output to our stderr. @returns {Promise<number>} its exit code */
export function show(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 2, 2], ...options });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/** Like show, but throws when the command fails. */
export async function must(what, file, args, options) {
  const code = await show(file, args, options);
  if (code !== 0) throw new Error(`${what} failed with exit code ${code}: ${file} ${args.join(' ')}`);
}

export async function ensureDependencies() {
  const lock = join(ROOT, 'package-lock.json');
  const stamp = join(ROOT, 'node_modules', '.package-lock.json');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return;
  say('• installing the packages of package-lock.json with npm ci (about 20 s)');
  await must('npm ci', 'npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
}

export async function ensureBuild() {
  say('• building dist/ (3 s)');
  await must('the build', process.execPath, ['scripts/build.mjs']);
}

/** Folder of prebuilt binaries, which only save compile time: BED_TOOLBOX, or ../shared/toolbox if it exists. */
function toolbox() {
  const beside = join(ROOT, '..', 'shared', 'toolbox');
  return process.env.BED_TOOLBOX ?? (existsSync(beside) ? beside : '');
}

const bedEnv = () => ({ ...process.env, ...(toolbox() ? { BED_TOOLBOX: toolbox() } : {}) });

export const canRunBed = () => process.platform === 'linux' && process.getuid?.() === 0;

export function bedStatus() {
  return spawnSync(BED, ['status'], { stdio: 'ignore' }).status;
}

export const isBedBuilt = () =>
  ['hyper', 'otelcol', 'prometheus', 'loki', 'tempo', 'grafana'].every((name) =>
    existsSync(join(BED_HOME, 'bin', name)),
  );

/** Environment in which kubectl and helm use the test bed. */
export function bedEnvironment() {
  return {
    ...process.env,
    KUBECONFIG: join(BED_HOME, 'run', 'admin.kubeconfig'),
    PATH: `${join(BED_HOME, 'bin')}:${process.env.PATH}`,
  };
}

/** Builds missing programs. @param {string[]} more programs to build in addition to the set quickstart */
export async function buildBed(more = []) {
  const how = toolbox()
    ? `uses prebuilt programs from ${toolbox()} where available`
    : 'compiles everything: about 25 minutes on two cores, once';
  if (!isBedBuilt()) say(`• building the test bed (${how}); if interrupted, run the same command to resume`);
  await must('building the test bed', BED, ['build', '--set', 'quickstart', ...more], { env: bedEnv() });
}

/** Starts the built cluster and imports its images. @returns {Promise<boolean>} false if it was already running */
export async function startBed() {
  const wasUp = bedStatus() === 0;
  say(wasUp ? '• the test bed is already running' : '• starting the test bed (about 10 s)');
  try {
    await must('starting the test bed', BED, ['up'], { env: bedEnv() });
    say('• importing images (about 30 s the first time)');
    await must('importing images', BED, ['images'], { env: bedEnv() });
  } catch (error) {
    // Also after Ctrl-C: the caller has no result yet, so it cannot know that the bed must be stopped.
    if (!wasUp) await bedDown();
    throw error;
  }
  return !wasUp;
}

/** Installs Chromium for the tests that render dashboards. */
export async function ensureChromium() {
  if (existsSync('/usr/bin/chromium')) return;
  say('• installing the Debian package chromium (about 1 minute)');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await must('apt-get update', 'apt-get', ['update', '-qq'], { env });
  await must('apt-get install', 'apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], {
    env,
    stdio: 'ignore',
  });
}

export const bedDown = () => must('stopping the test bed', BED, ['down']);

/** Holds what `npm run demo` must leave for `npm run demo -- down`. */
export function stateFile(name) {
  const path = join(homedir(), '.cache', name);
  return {
    read: () => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined),
    write: (data) => (
      mkdirSync(dirname(path), { recursive: true }),
      writeFileSync(path, JSON.stringify(data, null, 2))
    ),
    path,
  };
}

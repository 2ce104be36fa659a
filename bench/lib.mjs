// Shared by the benchmarks: child processes, medians, tables, and cleanup that also runs when interrupted.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importSource } from '../scripts/bundle.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const CLI = join(ROOT, 'bin', 'genai-obs.js');

/** `--rounds 5 --flag` → `{ rounds: '5', flag: true }`. */
export function options(defaults = {}) {
  const out = { ...defaults };
  const words = process.argv.slice(2);
  for (let i = 0; i < words.length; i++) {
    const name = words[i].replace(/^--/, '');
    if (!(name in defaults))
      throw new Error(`unknown option ${words[i]}; known options: --${Object.keys(defaults).join(' --')}`);
    out[name] = typeof defaults[name] === 'boolean' ? true : words[++i];
  }
  return out;
}

export function needBuild() {
  if (!existsSync(join(ROOT, 'dist', 'cli.js'))) throw new Error('dist/ does not exist; run npm run build first');
}

/** Requires KUBECONFIG explicitly, so that no benchmark changes the user's default cluster. @returns the context */
export function needCluster() {
  needBuild();
  if (!process.env.KUBECONFIG)
    throw new Error('set KUBECONFIG to a test cluster: the benchmark installs and uninstalls on it');
  const context = spawnSync('kubectl', ['config', 'current-context'], { encoding: 'utf8' });
  if (context.status !== 0) throw new Error(`kubectl has no current context: ${context.stderr ?? context.error}`);
  return context.stdout.trim();
}

const children = new Set();
let interrupted = false;

/**
 * Runs a program and shows its output only if it fails.
 * @returns {Promise<{ seconds: number, code: number, stdout: string, stderr: string }>}
 */
export function run(file, args, { input, check = true, env } = {}) {
  if (interrupted) return Promise.reject(new Error('interrupted'));
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(file, args, {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: true,
    });
    children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      children.delete(child);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      if (check && code !== 0)
        reject(
          new Error(`${file} ${args.join(' ')} exited with ${code}:\n${stderr.slice(-2000) || stdout.slice(-2000)}`),
        );
      else resolve({ seconds, code, stdout, stderr });
    });
    if (input !== undefined) child.stdin.end(input);
  });
}

export const genaiObs = (args, extra) => run(process.execPath, [CLI, ...args], extra);

/** Runs `work`, then `cleanup` exactly once, also after an error, Ctrl-C or SIGTERM. */
export async function withCleanup(work, cleanup) {
  const stop = () => {
    if (interrupted) return;
    interrupted = true;
    console.error('interrupted: cleaning up');
    for (const child of children) child.kill('SIGTERM');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await work();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    await Promise.all([...children].map((child) => new Promise((resolve) => child.once('close', resolve))));
    interrupted = false;
    await cleanup().catch((error) => {
      console.error(`the cleanup failed: ${error.message}`);
      process.exitCode = 1;
    });
  }
  process.exit(process.exitCode ?? 0);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Prints rows as aligned columns. */
export function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  console.log(
    rows
      .map((row) =>
        row.map((cell, i) => (i ? String(cell).padStart(widths[i]) : String(cell).padEnd(widths[i]))).join('  '),
      )
      .join('\n'),
  );
}

/** Describes the machine and its load, without which the figures mean nothing. */
export function machine() {
  return `${cpus().length} CPUs, load ${loadavg()[0].toFixed(1)}, node ${process.version}, ${new Date().toISOString()}`;
}

/** Prints the verdict and fails the benchmark if the value exceeds its limit. */
export function verdict(name, value, limit, unit = '') {
  const ok = value <= limit;
  console.log(`${ok ? 'ok  ' : 'MISS'} ${name}: ${value.toFixed(2)}${unit}, at most ${limit}${unit}`);
  if (!ok) process.exitCode = 1;
}

/** Builds the plan that the CLI would use, from the sources: a profile with `settings` on top. */
export async function planOf(settings, profile = 'quickstart') {
  const { buildPlan, extended, profileLayer, resolve } = await importSource(
    "export { buildPlan } from './src/engine/plan/index.ts';" +
      "export { extended, profileLayer } from './src/profile/layers.ts';" +
      "export { resolve } from './src/profile/resolve.ts';",
  );
  return buildPlan(resolve([...extended(profileLayer(profile)), { source: 'bench', data: settings }]));
}

/** Applies the namespaces first, then the other objects and the Secrets: what the releases of a plan need to exist. */
export async function applyPrerequisites(steps, include = () => true) {
  const objects = steps.flatMap((step) => (step.kind === 'objects' && include(step) ? step.objects : []));
  const secrets = steps
    .filter((step) => step.kind === 'secret')
    .map(({ object, keys }) => ({
      ...object,
      stringData: Object.fromEntries(Object.entries(keys).map(([key, fixed]) => [key, fixed ?? 'benchmark-only'])),
    }));
  for (const items of [
    objects.filter(({ kind }) => kind === 'Namespace'),
    [...objects.filter(({ kind }) => kind !== 'Namespace'), ...secrets],
  ])
    await run('kubectl', ['apply', '--server-side', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
}

/** Deletes the namespace and our cluster roles and bindings for it; returns when they are deleted. */
export async function dropNamespace(namespace) {
  await run('kubectl', ['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=300s']);
  const names = await clusterScoped(namespace);
  await run('kubectl', ['delete', 'clusterrole,clusterrolebinding', '--ignore-not-found', ...names], { check: false });
}

const OWNER = '{.metadata.annotations.meta\\.helm\\.sh/release-namespace}';

async function clusterScoped(namespace) {
  const { stdout } = await run('kubectl', [
    'get',
    'clusterrole,clusterrolebinding',
    '-l',
    'app.kubernetes.io/part-of=genai-obs',
    '-o',
    `jsonpath={range .items[*]}{.metadata.name}{" "}${OWNER}{"\\n"}{end}`,
  ]);
  const names = stdout
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, owner]) => owner === namespace)
    .map(([name]) => name);
  return names.length ? [...new Set(names)] : ['none-of-this-name'];
}

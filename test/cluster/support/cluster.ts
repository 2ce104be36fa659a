import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../../src/core/assets.ts';

/** The command line under test; GENAI_OBS_CLI selects another build. */
export const CLI = process.env['GENAI_OBS_CLI'] ?? join(ROOT, 'bin', 'genai-obs.js');

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

const running = new Set<ChildProcess>();

/** Kills the child when the test run is interrupted; otherwise it would keep changing the cluster. */
export function stopOnInterrupt(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Runs a program and collects its output. `silentStdin`: stdin is an open pipe without data. */
export function run(
  file: string,
  args: string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string; silentStdin?: boolean } = {},
): Promise<Run> {
  const start = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...options.env },
      ...(options.cwd ? { cwd: options.cwd } : {}),
      stdio: [options.input === undefined && !options.silentStdin ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    stopOnInterrupt(child);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr, ms: Date.now() - start }));
    if (!options.silentStdin) child.stdin?.end(options.input);
  });
}

export const cli = (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Run> =>
  run(process.execPath, [CLI, ...args], { env });

/** Like `cli`, but throws an error with the output unless the exit code is 0. */
export async function cliOk(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const done = await cli(args, env);
  if (done.code !== 0)
    throw new Error(`genai-obs ${args.join(' ')}: exit code ${done.code}\n${done.stderr}\n${done.stdout.slice(-2000)}`);
  return done;
}

export async function kubectl(args: string[], input?: string): Promise<string> {
  const done = await run('kubectl', args, input === undefined ? {} : { input });
  if (done.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

export const get = async <T = { items: KubeItem[] }>(...args: string[]): Promise<T> =>
  JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T;

export interface KubeItem {
  kind: string;
  apiVersion: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

/** Whether a node has an image of this repository; the bed cannot pull images. */
export async function hasImage(repository: string): Promise<boolean> {
  const { items } = await get<{ items: { status: { images?: { names?: string[] }[] } }[] }>('node');
  return items.some(({ status }) =>
    status.images?.some(({ names }) => names?.some((name) => name.startsWith(`${repository}:`))),
  );
}

/** GET on a Service through the API server's proxy. */
export async function service<T>(namespace: string, name: string, port: number, path: string): Promise<T> {
  return JSON.parse(
    await kubectl(['get', '--raw', `/api/v1/namespaces/${namespace}/services/${name}:${port}/proxy${path}`]),
  ) as T;
}

/** Polls `probe` every second until it returns a value. An error counts as no value; a timeout shows the last one. */
export async function eventually<T>(what: string, probe: () => Promise<T | undefined>, seconds = 90): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last = '';
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > end) throw new Error(`timed out after ${seconds} s: ${what}${last ? ` (${last})` : ''}`);
    await sleep(1_000);
  }
}

/** Kinds whose objects appear and disappear by themselves. */
const VOLATILE = new Set([
  'events',
  'events.events.k8s.io',
  'leases.coordination.k8s.io',
  'endpointslices.discovery.k8s.io',
  'endpoints',
  'componentstatuses',
  'ipaddresses.networking.k8s.io',
]);

/** Every listable kind, comma-separated. Not cached, because charts install CRDs. */
const kinds = async (): Promise<string> =>
  (await kubectl(['api-resources', '--verbs=list', '-o', 'name']))
    .split('\n')
    .filter((kind) => kind && !VOLATILE.has(kind) && !kind.endsWith('metrics.k8s.io'))
    .join(',');

/** Pods of the storage provisioner that create or delete a volume, for any test. */
const HELPER = / \S+\/helper-pod-(create|delete)-pvc-/;

async function list(scope: string[]): Promise<string[]> {
  const out = await kubectl([
    'get',
    await kinds(),
    ...scope,
    '--ignore-not-found',
    '-o',
    'jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.spec.claimRef.namespace}{"\\n"}{end}',
  ]);
  return out
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !HELPER.test(line))
    .toSorted();
}

/** Whether a line belongs to another running test: its namespace it-…, or what is in it or named after it. */
function isOfOthers(line: string, own: string): boolean {
  const test = /[ /]it-([a-z]+)/.exec(line)?.[1];
  return test !== undefined && `it-${test}` !== own;
}

/**
 * `kind namespace/name` of every object in the cluster; a volume also has the namespace of its claim.
 * `own` leaves out objects of other tests.
 */
export const inventory = async (own = ''): Promise<string[]> =>
  (await list(['-A'])).filter((line) => !own || !isOfOthers(line, own));

/** Difference to an earlier inventory. Both lists are empty if the cluster is as before. */
export async function changedSince(before: string[], own = ''): Promise<{ added: string[]; removed: string[] }> {
  const now = await inventory(own);
  return {
    added: now.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !now.includes(name)),
  };
}

/** Objects of one installation without what differs in each run: UIDs, times, random values, hashes. */
export async function normalised(namespace: string): Promise<Record<string, unknown>> {
  const kinds =
    'configmap,secret,service,serviceaccount,persistentvolumeclaim,deployment,statefulset,daemonset,' +
    'role,rolebinding,poddisruptionbudget,networkpolicy';
  const [own, wide] = await Promise.all([
    get(kinds, '-n', namespace),
    get('clusterrole,clusterrolebinding', '-l', 'app.kubernetes.io/part-of=genai-obs'),
  ]);
  const entries = [...own.items, ...wide.items]
    .filter(
      (o) =>
        !(o.kind === 'Secret' && o['type'] === 'helm.sh/release.v1') &&
        o.metadata.name !== 'kube-root-ca.crt' &&
        o.metadata.name !== 'genai-obs-journal',
    )
    .filter((o) => o.metadata.namespace === namespace || o.metadata.name.startsWith(`${namespace}-`))
    .map((o): [string, unknown] => [`${o.kind}/${o.metadata.name}`, strip(o)]);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function strip(object: KubeItem): unknown {
  const { labels = {}, annotations = {}, name } = object.metadata;
  const keep = { ...object, metadata: { name, labels, annotations: { ...annotations } } } as Record<string, unknown> & {
    metadata: { annotations: Record<string, string> };
  };
  delete keep['status'];
  for (const key of [
    'deployment.kubernetes.io/revision',
    'deprecated.daemonset.template.generation',
    'pv.kubernetes.io/bind-completed',
    'pv.kubernetes.io/bound-by-controller',
    'volume.kubernetes.io/selected-node',
    'volume.beta.kubernetes.io/storage-provisioner',
    'volume.kubernetes.io/storage-provisioner',
  ])
    delete keep.metadata.annotations[key];
  if (object.kind === 'Secret') keep['data'] = Object.keys(object['data'] ?? {});
  if (object.kind === 'Service') keep['spec'] = { ...(object['spec'] as object), clusterIP: '', clusterIPs: [] };
  if (object.kind === 'PersistentVolumeClaim') keep['spec'] = { ...(object['spec'] as object), volumeName: '' };
  return keep;
}

/** The latest helm revision of each release. */
export async function revisions(namespace: string): Promise<Record<string, number>> {
  const { items } = await get('secret', '-n', namespace, '-l', 'owner=helm');
  const out: Record<string, number> = {};
  for (const { metadata } of items)
    out[metadata.labels?.['name'] ?? ''] = Math.max(
      out[metadata.labels?.['name'] ?? ''] ?? 0,
      Number(metadata.labels?.['version']),
    );
  return out;
}

/** Objects of one installation: its namespace and what is in it, cluster-wide objects named after it, its volumes. */
export async function footprint(namespace: string): Promise<string[]> {
  const own = new RegExp(`( |/)${namespace}(/|$|-)`);
  return (await list(['-n', namespace])).filter((line) => own.test(line));
}

/** Arguments that uninstall everything, data included; `seconds` is the timeout of each step. */
export const uninstallArgs = (namespace: string, seconds = 180): string[] => [
  'uninstall',
  '--namespace',
  namespace,
  '--delete-data',
  '--yes',
  '--timeout',
  String(seconds),
];

/** Removes an installation in any state; for cleanup before and after tests. */
export async function removeAll(namespace: string): Promise<void> {
  const done = await cli(uninstallArgs(namespace, 120));
  if (done.code !== 0) {
    await run('kubectl', ['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s']);
    for (const kind of ['clusterrole', 'clusterrolebinding']) {
      const { items } = await get(kind, '-l', 'app.kubernetes.io/part-of=genai-obs');
      for (const { metadata } of items)
        if (metadata.name.startsWith(`${namespace}-`)) await run('kubectl', ['delete', kind, metadata.name]);
    }
  }
}

const undos: (() => void)[] = [];

/** Registers cleanup for an interrupted run; `undo` must be synchronous. */
export function onInterrupt(undo: () => void): void {
  if (undos.length === 0) {
    const all = (): void => {
      for (const child of running) child.kill('SIGKILL');
      undos.reverse().forEach((one) => one());
    };
    // Ctrl-C reaches every process of the terminal; a signal to the runner only shows as a disconnect.
    for (const end of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(end, () => (all(), process.exit(130)));
  }
  undos.push(undo);
}

/** Uninstalls from the namespace if the run is interrupted. */
export function uninstallOnInterrupt(namespace: string): void {
  onInterrupt(
    () =>
      void spawnSync(process.execPath, [CLI, 'uninstall', '--namespace', namespace, '--delete-data', '--yes'], {
        stdio: 'ignore',
      }),
  );
}

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PodExec } from '../../src/adapters/podExec.ts';
import type { Deps } from '../../src/backup/types.ts';
import { type Place, placeOf } from '../../src/parts/catalog.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import type { ComponentId, Config } from '../../src/profile/schema.ts';
import { type FakeCluster, NS, fakeCluster, releaseObjects } from './support/cluster.ts';
import { quickstart } from './support/config.ts';

/** An installation in memory: claims are folders, helper pods are local shells. */
export interface Stage {
  root: string;
  cluster: FakeCluster;
  controller: AbortController;
  reports: string[];
  deps: Deps;
  /** Path in the claim of a component. */
  data: (component: ComponentId, ...path: string[]) => string;
  /** Seconds by which the clock of helper pods is ahead, so that new files count as unchanged. */
  ahead: number;
  /** Runs before each script in a helper pod. An error that it throws fails the script. */
  beforeScript: (pod: string, script: string) => void | Promise<void>;
  /** Whether the connection silently loses the input of a script. */
  loses: (script: string) => boolean;
  /** Called when a component is stopped or started. */
  onScale: (name: string, replicas: number) => void;
  replicas: (component: ComponentId) => number;
  /** Requests to Grafana. A test may replace `answer`. */
  grafana: {
    requests: { method: string; path: string; body: unknown; headers: JsonMap }[];
    answer: (method: string, path: string) => unknown;
  };
  close: () => Promise<void>;
}

export function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const STORED: ComponentId[] = ['prometheus', 'alertmanager', 'loki', 'tempo', 'grafana'];

export async function stage(config: Config = quickstart()): Promise<Stage> {
  const root = mkdtempSync(join(tmpdir(), 'backup-test-'));
  const cluster = fakeCluster();
  const controller = new AbortController();
  const reports: string[] = [];
  const grafana: Stage['grafana'] = { requests: [], answer: () => undefined };
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const [method, path] = [request.method ?? 'GET', request.url ?? ''];
      grafana.requests.push({
        method,
        path,
        body: text ? (JSON.parse(text) as unknown) : undefined,
        headers: request.headers as JsonMap,
      });
      const body = method === 'GET' ? grafana.answer(method, path) : (grafana.answer(method, path) ?? {});
      response
        .writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify(body ?? { message: 'not found' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: Stage = {
    root,
    cluster,
    controller,
    reports,
    grafana,
    ahead: 0,
    loses: () => false,
    beforeScript: () => {},
    onScale: () => {},
    data: (component, ...path) => join(root, 'data', component, ...path),
    replicas: (component) => {
      const { workload, namespace } = placeOf(config, component);
      return (cluster.get(workload.kind, workload.name, namespace)!['spec'] as { replicas: number }).replicas;
    },
    deps: {} as Deps,
    close: () => (
      rmSync(root, { recursive: true, force: true }),
      new Promise((resolve) => server.close(() => resolve()))
    ),
  };
  const { port } = server.address() as AddressInfo;
  self.deps = {
    kube: cluster.kube,
    kubectl: { portForward: () => Promise.resolve({ port, close: () => {}, ended: Promise.resolve('') }) },
    exec: localExec(self),
    config,
    signal: controller.signal,
    report: (text) => void reports.push(text),
    confirm: () => Promise.resolve(true),
    passphrase: () => Promise.resolve('correct horse'),
    timeout: 3_000,
  };
  furnish(self);
  return self;
}

/** Creates workloads with claims, pods that follow their replicas, and the APIs of Prometheus and Alertmanager. */
function furnish(self: Stage): void {
  const { cluster } = self;
  for (const id of STORED) {
    const [workload, configMap] = releaseObjects(id, NS);
    const place = placeOf(self.deps.config, id);
    const metadata = { ...workload!.metadata, name: place.workload.name, namespace: place.namespace };
    const template = {
      spec: {
        securityContext: { runAsUser: 10001 },
        containers: [{ name: id, image: place.image }],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: place.claim?.name } }],
      },
    };
    cluster.put({
      ...workload!,
      kind: place.workload.kind,
      metadata,
      spec: { ...(workload!['spec'] as JsonMap), template },
      status: status(1),
    });
    cluster.put(configMap!);
    cluster.record(id, 'deployed', 1, { replicas: 1 });
    cluster.put(podOf(place));
    mkdirSync(self.data(id), { recursive: true });
  }
  cluster.put({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name: 'grafana-admin',
      namespace: placeOf(self.deps.config, 'grafana').namespace,
      labels: { 'app.kubernetes.io/part-of': 'genai-obs' },
    },
    data: { 'admin-user': base64('admin'), 'admin-password': base64('s3cret-of-grafana') },
  });
  const real = { ...cluster.kube };
  cluster.kube.create = (object) =>
    real.create(
      object.kind === 'Pod'
        ? { ...object, status: { phase: 'Running', containerStatuses: [{ ready: true }] } }
        : object,
    );
  cluster.kube.request = async (method, path, options) => {
    if (method === 'PATCH') await patch(self, path, JSON.parse(options?.body ?? '{}') as Patch);
    return { status: 200, body: '' };
  };
  cluster.kube.service = (_namespace, _name, _port, path) => {
    if (path.endsWith('/snapshot')) {
      put(self.data('prometheus', 'snapshots', '20260101T000000Z-abc', '01ABC', 'meta.json'), '{}');
      return Promise.resolve({
        status: 200,
        body: JSON.stringify({ status: 'success', data: { name: '20260101T000000Z-abc' } }),
      });
    }
    return Promise.resolve({ status: 200, body: '[]' });
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function status(replicas: number): JsonMap {
  return { observedGeneration: 1, replicas, readyReplicas: replicas, updatedReplicas: replicas };
}

function podOf({ id, namespace }: Place): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${id}-0`, namespace, labels: { app: id } },
    spec: { nodeName: 'node-1' },
  };
}

interface Patch {
  metadata?: { annotations?: Record<string, string | null> };
  spec?: { replicas?: number };
}

async function patch(self: Stage, path: string, change: Patch): Promise<void> {
  const { cluster } = self;
  const [namespace = '', plural = '', name = ''] = path.split('?')[0]!.split('/').slice(-3);
  const kinds: Record<string, string> = { pods: 'Pod', deployments: 'Deployment', statefulsets: 'StatefulSet' };
  const live = cluster.get(kinds[plural] ?? plural, name, namespace);
  if (!live) throw new Error(`no ${path}`);
  await cluster.before(`patch ${name}`);
  const annotations = Object.fromEntries(
    Object.entries({ ...live.metadata.annotations, ...change.metadata?.annotations }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    ),
  );
  const replicas = change.spec?.replicas;
  cluster.put({
    ...live,
    metadata: { ...live.metadata, annotations },
    ...(replicas === undefined ? {} : { spec: { ...(live['spec'] as JsonMap), replicas }, status: status(replicas) }),
  });
  if (replicas === undefined) return;
  cluster.calls.push(`scale ${name} ${replicas}`);
  const place = STORED.map((id) => placeOf(self.deps.config, id)).find(({ workload }) => workload.name === name)!;
  if (replicas === 0) await cluster.kube.remove({ apiVersion: 'v1', kind: 'Pod', namespace, name: `${place.id}-0` });
  else cluster.put(podOf(place));
  self.onScale(name, replicas);
}

/** Runs scripts locally, with a folder per pod instead of /data and /tmp. */
function localExec(self: Stage): PodExec {
  const local = (pod: string, script: string): string => {
    const tmp = join(self.root, 'tmp', pod);
    mkdirSync(tmp, { recursive: true });
    const data = self.data(pod.replace('backup-', '') as ComponentId);
    return script
      .replaceAll('$(date +%s)', `$(( $(date +%s) + ${self.ahead} ))`)
      .replaceAll(/\/tmp\b/g, '@TMP@')
      .replaceAll(/(?<![\w@}])\/data\b(?!-)/g, data)
      .replaceAll('@TMP@', tmp);
  };
  return {
    async text({ name: pod }, script) {
      await self.beforeScript(pod, script);
      return new Promise((resolve, reject) =>
        execFile('bash', ['-c', local(pod, script)], (error, stdout, stderr) =>
          error ? reject(new Error(`${error.message} ${stderr}`)) : resolve(stdout),
        ),
      );
    },
    start({ name: pod }, script, stdin) {
      const child = spawn('bash', ['-c', local(pod, script)], { stdio: ['pipe', 'pipe', 'pipe'] });
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.stdin.on('error', () => {});
      const lost = stdin && self.loses(script);
      if (!stdin || lost) child.stdin.end();
      const closed = new Promise<{ stderr: string; code: number | null }>((resolve) =>
        child.once('close', (code) => resolve({ stderr, code })),
      );
      const done = Promise.resolve()
        .then(() => self.beforeScript(pod, script))
        .then(() => closed);
      done.catch(() => {});
      return {
        stdin: lost ? new Writable({ write: (_chunk, _encoding, next) => next() }) : child.stdin,
        stdout: child.stdout,
        done,
        kill: () => void child.kill('SIGKILL'),
      };
    },
  };
}

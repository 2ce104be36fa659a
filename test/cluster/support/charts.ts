import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import { type ChartName, PINS } from '../../../src/charts/pins.ts';
import { COMPONENT_IDS } from '../../../src/profile/schema.ts';
import { listen } from '../../support/server.ts';
import { certs } from '../../unit/support/certs.ts';
import { HOST } from './bed.ts';
import { run } from './cluster.ts';

/** An image that every test cluster has, and one whose registry refuses connections immediately. */
export const IMAGE = 'docker.io/library/busybox:1.36';
export const NO_IMAGE = '127.0.0.1:1/nobody/nothing:1.0.0';

type Manifest = { apiVersion: string; kind: string; metadata: { name: string }; [field: string]: unknown };

/** Writes a configuration in which only `parts` are enabled. @returns its path */
export function minimalConfig(dir: string, name: string, namespace: string, parts: object): string {
  const path = join(dir, `${name}.yaml`);
  const off = Object.fromEntries(COMPONENT_IDS.map((id) => [id, { enabled: false }]));
  writeFileSync(
    path,
    JSON.stringify({ profile: 'quickstart', namespace, storage: { enabled: false }, ...off, ...parts }),
  );
  return path;
}

/** Creates a folder as `genai-obs mirror` does, for test charts with the names and versions of upstream charts. */
export function fakeMirror(folder: string): {
  folder: string;
  put: (chart: ChartName, objects: Manifest[], crds?: Manifest[]) => Promise<void>;
} {
  const archives = join(folder, 'charts');
  mkdirSync(archives, { recursive: true });
  return {
    folder,
    /** Packs the chart, replacing an older one, and lists its digest in mirror.json. */
    async put(chart, objects, crds = []) {
      const source = mkdtempSync(join(folder, '.chart-'));
      for (const [part, manifests] of Object.entries({ templates: objects, crds })) {
        mkdirSync(join(source, part));
        for (const [i, manifest] of manifests.entries())
          writeFileSync(join(source, part, `${i}.yaml`), JSON.stringify(manifest));
      }
      writeFileSync(
        join(source, 'Chart.yaml'),
        JSON.stringify({ apiVersion: 'v2', name: chart, version: PINS[chart].version }),
      );
      const packed = await run('helm', ['package', source, '--destination', archives]);
      rmSync(source, { recursive: true });
      if (packed.code !== 0) throw new Error(`helm package ${chart}: ${packed.stderr}`);
      writeMirrorJson(folder);
    },
  };
}

/** Writes mirror.json; `digests` replaces the real digests. */
export function writeMirrorJson(folder: string, digests: Record<string, string> = {}): void {
  const names = readdirSync(join(folder, 'charts'));
  const digest = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(join(folder, 'charts', name)))
      .digest('hex');
  const charts = { ...Object.fromEntries(names.map((name) => [name, digest(name)])), ...digests };
  writeFileSync(join(folder, 'mirror.json'), JSON.stringify({ tool: '0.0.0', charts, images: [] }));
}

export interface Server {
  url: string;
  close: () => Promise<void>;
}

/** Serves a folder on loopback; `status` returns the HTTP status for each path, and only 200 sends the file. */
export async function serve(folder: string, status: (path: string) => number = () => 200): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const code = status(path);
    response.writeHead(code).end(code === 200 ? readFileSync(join(folder, path)) : 'no');
  });
  const { port, close } = await listen(server);
  return { url: `http://127.0.0.1:${port}`, close };
}

export interface SilentWebhook extends Server {
  client: { url: string; caBundle: string };
}

/** Accepts requests of the bed's API server and never responds. Writes its certificate to `dir`. */
export async function silentWebhook(dir: string): Promise<SilentWebhook> {
  certs(dir, ['mute'], [`IP:${HOST}`]);
  const pem = (name: string): Buffer => readFileSync(join(dir, 'mute', name));
  const server = createSecureServer({ key: pem('tls.key'), cert: pem('tls.crt') }, () => {});
  const { port, close } = await listen(server, HOST);
  const url = `https://${HOST}:${port}/validate`;
  return { url, client: { url, caBundle: pem('ca.crt').toString('base64') }, close };
}

/** A workload that only sleeps, and terminates immediately. */
export function idleWorkload(kind: 'Deployment' | 'StatefulSet' | 'DaemonSet', name: string, image = IMAGE): Manifest {
  const labels = { 'app.kubernetes.io/name': name };
  const container = {
    name: 'main',
    image,
    command: ['sleep', '3600'],
    resources: { requests: { cpu: '1m', memory: '4Mi' } },
  };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      ...(kind === 'DaemonSet' ? {} : { replicas: 1 }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } },
    },
  };
}

/** A CRD with these versions, the first of which is stored. Its schema accepts any object. */
export function makeCrd(
  name: string,
  kind: string,
  versions: string[],
  metadata: Record<string, unknown> = {},
): Manifest {
  const [plural = '', ...group] = name.split('.');
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name, ...metadata },
    spec: {
      group: group.join('.'),
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: versions.map((version, i) => ({ name: version, served: true, storage: i === 0, schema })),
    },
  };
}

/**
 * A webhook for one resource in one namespace. It calls `client` with the longest timeout that an API server allows.
 * Without `client` it calls a Service that has no endpoints.
 */
export function unservedWebhook(
  name: string,
  namespace: string,
  group: string,
  resource: string,
  client?: SilentWebhook['client'],
): Manifest[] {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 443 }] } };
  const webhook = {
    name: `${resource}.${name}.test`,
    clientConfig: client ?? { service: { name, namespace, path: '/validate', port: 443 } },
    rules: [{ apiGroups: [group], apiVersions: ['*'], resources: [resource], operations: ['CREATE', 'UPDATE'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: client ? 30 : 3,
  };
  return [
    service,
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name },
      webhooks: [webhook],
    },
  ];
}

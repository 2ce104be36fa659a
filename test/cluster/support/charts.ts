import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ChartName, PINS } from '../../../src/charts/pins.ts';
import { certs } from '../../unit/support/certs.ts';
import { HOST } from './bed.ts';
import { run } from './cluster.ts';

/** An image that every test cluster has, and one whose registry refuses the connection at once. */
export const IMAGE = 'docker.io/library/busybox:1.36';
export const NO_IMAGE = '127.0.0.1:1/nobody/nothing:1.0.0';

type Manifest = { apiVersion: string; kind: string; metadata: { name: string }; [field: string]: unknown };

/** A folder as `genai-obs mirror` writes one, with charts of the tests' own under upstream's names and versions. */
export function standInMirror(folder: string): {
  folder: string;
  put: (chart: ChartName, objects: Manifest[], crds?: Manifest[]) => Promise<void>;
} {
  const archives = join(folder, 'charts');
  mkdirSync(archives, { recursive: true });
  return {
    folder,
    /** Packs the chart, in place of what was there; its archive is listed with its digest. */
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
      list(folder);
    },
  };
}

/** Writes `mirror.json`; `digests` puts others in place of the true ones. */
export function list(folder: string, digests: Record<string, string> = {}): void {
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

/** Serves a folder on loopback; `status` tells for each path what is answered in place of its file. */
export async function serve(folder: string, status: (path: string) => number = () => 200): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const code = status(path);
    response.writeHead(code).end(code === 200 ? readFileSync(join(folder, path)) : 'no');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  };
}

export interface Mute extends Server {
  client: { url: string; caBundle: string };
}

/** Takes what the API server of the bed asks and says nothing; its certificate is written to `dir`. */
export async function mute(dir: string): Promise<Mute> {
  certs(dir, ['mute'], [`IP:${HOST}`]);
  const pem = (name: string): Buffer => readFileSync(join(dir, 'mute', name));
  const server = createSecureServer({ key: pem('tls.key'), cert: pem('tls.crt') }, () => {});
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const url = `https://${HOST}:${(server.address() as AddressInfo).port}/validate`;
  return {
    url,
    client: { url, caBundle: pem('ca.crt').toString('base64') },
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  };
}

/** A workload that does nothing, and ends at once. */
export function idle(kind: 'Deployment' | 'StatefulSet' | 'DaemonSet', name: string, image = IMAGE): Manifest {
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

/** `collectors.example.io` with its versions, the first one stored; takes whatever it is given. */
export function definition(
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
 * Asks a Service of the release's namespace, in which nobody listens, or `client`, as long as an API server may; only about the resources
 * of that namespace.
 */
export function deafWebhook(
  name: string,
  namespace: string,
  group: string,
  resource: string,
  client?: Mute['client'],
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

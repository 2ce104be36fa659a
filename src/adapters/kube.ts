import { existsSync } from 'node:fs';
import https from 'node:https';
import http from 'node:http';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refText } from '../core/types.ts';
import { type Answer, KubeError, type RequestOptions, statusError } from './answer.ts';
import { kindInfo, refPath, restPath } from './kinds.ts';
import { type ApplyOptions, serverSideApply } from './serverSideApply.ts';

export { type Answer, KubeError, type RequestOptions } from './answer.ts';

/** Reads and writes of the cluster, over its REST API. */
export interface Kube {
  context: string;
  server: string;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** GET as JSON. @throws KubeError */
  json<T>(path: string, timeout?: number): Promise<T>;
  /** The object, or undefined when there is none. @throws KubeError */
  read(ref: ObjectRef): Promise<KubeObject | undefined>;
  list(kind: string, namespace?: string, selector?: string): Promise<KubeObject[]>;
  create(object: KubeObject): Promise<KubeObject>;
  /** PUT; fails with 409 when `metadata.resourceVersion` is not the newest. */
  replace(object: KubeObject): Promise<KubeObject>;
  /** Server-side apply as our own field manager, conflicts forced; each object names its own namespace. @throws ObsError naming the refused object */
  apply(objects: KubeObject[], options?: ApplyOptions): Promise<void>;
  /** False when there was nothing to delete. */
  remove(ref: ObjectRef): Promise<boolean>;
  /** An HTTP request to a Service through the API server's proxy: no port is opened on this machine. */
  service(
    namespace: string,
    name: string,
    port: string | number,
    path: string,
    options?: RequestOptions & { method?: string },
  ): Promise<Answer>;
  close(): void;
}

function kubeconfigPaths(): string[] {
  const env = process.env['KUBECONFIG'];
  return env ? env.split(delimiter).filter(Boolean) : [join(homedir(), '.kube', 'config')];
}

/** Contexts of the kubeconfig; none when there is no kubeconfig (connect() says why). */
export async function contexts(): Promise<{ names: string[]; current: string }> {
  if (!kubeconfigPaths().some((path) => existsSync(path))) return { names: [], current: '' };
  const config = await load();
  return { names: config.getContexts().map((c) => c.name), current: config.getCurrentContext() };
}

/** @throws ObsError for a file that is empty or no YAML; without the line that is wrong, which may hold a token. */
async function load(): Promise<KubeConfig> {
  const { KubeConfig } = await import('./kubeconfig.ts');
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
    return config;
  } catch (error) {
    const cause = error instanceof TypeError ? 'it is empty' : messageOf(error).replace(/\n[^]*/, '');
    throw new ObsError({
      what: `the kubeconfig ${kubeconfigPaths().join(', ')} cannot be read`,
      cause,
      next: 'kubectl config view',
      exit: 2,
    });
  }
}

/**
 * Connects to the context `contextName`, or to the current one.
 * @throws ObsError without a kubeconfig, a current context or the named one: client-node alone would fall back to localhost:8080.
 */
export async function connect(contextName?: string): Promise<Kube> {
  const paths = kubeconfigPaths();
  if (!paths.some((path) => existsSync(path))) {
    throw new ObsError({
      what: `there is no kubeconfig at ${paths.join(', ')}`,
      exit: 2,
      next: 'set KUBECONFIG to the file of your cluster, or create one with your cluster provider’s CLI',
    });
  }
  const config = await load();
  const context = contextName ?? config.getCurrentContext();
  const names = config.getContexts().map((c) => c.name);
  if (!context || !names.includes(context)) {
    throw new ObsError({
      what: context ? `the kubeconfig has no context "${context}"` : 'the kubeconfig has no current context',
      cause: names.length ? `it has: ${names.join(', ')}` : 'it has no contexts at all',
      next: names.length ? `genai-obs … --context ${names[0]}` : 'kubectl config get-contexts',
      exit: 2,
    });
  }
  config.setCurrentContext(context);
  const server = config.getCurrentCluster()?.server ?? '';
  let url = new URL('https://invalid');
  const base: https.RequestOptions = {};
  try {
    url = new URL(server);
    await config.applyToHTTPSOptions(base);
  } catch (error) {
    // No address, a login helper that fails, a certificate file that is not there, plain http.
    throw new ObsError({
      what: 'the kubeconfig’s entry cannot be used',
      object: `context ${context} (${server})`,
      cause: redact(messageOf(error)),
      next: `kubectl --context ${context} get --raw /readyz`,
      exit: 2,
    });
  }
  const secure = url.protocol === 'https:';
  const { ca, cert, key, rejectUnauthorized } = base;
  const proxied = config.getCurrentCluster()?.proxyUrl && typeof base.agent === 'object' ? base.agent : undefined;
  const agent =
    proxied ??
    (secure
      ? new https.Agent({
          keepAlive: true,
          maxSockets: 32,
          ...(ca ? { ca } : {}),
          ...(cert ? { cert } : {}),
          ...(key ? { key } : {}),
          ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
        })
      : new http.Agent({ keepAlive: true, maxSockets: 32 }));

  const request = async (method: string, path: string, options: RequestOptions = {}): Promise<Answer> => {
    // Tokens of exec plugins expire: the credentials are asked for anew for each request (client-node caches them).
    const auth: https.RequestOptions = {};
    await config.applyToHTTPSOptions(auth);
    return new Promise((resolve, reject) => {
      const timeout = options.timeout ?? 15_000;
      const headers = {
        ...(auth.headers as Record<string, string> | undefined),
        Accept: 'application/json',
        ...(options.body === undefined
          ? {}
          : {
              'Content-Type': options.contentType ?? 'application/json',
              'Content-Length': Buffer.byteLength(options.body),
            }),
      };
      const req = (secure ? https : http).request(
        {
          method,
          hostname: url.hostname.replace(/^\[|\]$/g, ''),
          port: url.port || (secure ? 443 : 80),
          path: `${url.pathname.replace(/\/$/, '')}${path}`,
          headers,
          agent,
          ...(auth.auth ? { auth: auth.auth } : {}),
          ...(base.servername ? { servername: base.servername } : {}),
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('error', (error) => reject(new KubeError(0, 'Unreachable', messageOf(error))));
          res.on('end', () => {
            clearTimeout(timer);
            const { date } = res.headers;
            resolve({
              status: res.statusCode ?? 0,
              body: Buffer.concat(chunks).toString('utf8'),
              ...(date ? { date } : {}),
            });
          });
        },
      );
      const late = new Error(`no answer within ${timeout / 1000} s`);
      const timer = setTimeout(() => req.destroy(late), timeout);
      req.on('error', (error) => {
        clearTimeout(timer);
        reject(new KubeError(0, error === late ? 'Timeout' : 'Unreachable', `${server}: ${messageOf(error)}`));
      });
      req.end(options.body);
    });
  };

  const parsed = async <T>(method: string, path: string, options?: RequestOptions): Promise<T> => {
    const answer = await request(method, path, options);
    if (answer.status >= 200 && answer.status < 300) {
      try {
        return JSON.parse(answer.body) as T;
      } catch {
        throw new KubeError(answer.status, 'NotJson', `${path} did not answer with JSON`);
      }
    }
    throw statusError(answer, path);
  };

  const kube: Kube = {
    context,
    server,
    request,
    json: (path, timeout) => parsed('GET', path, timeout ? { timeout } : {}),
    async read(ref) {
      try {
        return await parsed<KubeObject>('GET', refPath(ref));
      } catch (error) {
        if (error instanceof KubeError && error.status === 404) return undefined;
        throw error;
      }
    },
    async list(kind, namespace, selector) {
      const query = selector ? `?labelSelector=${encodeURIComponent(selector)}` : '';
      const { apiVersion, custom } = kindInfo(kind);
      const { items } = await parsed<{ items: KubeObject[] }>('GET', `${restPath(kind, namespace)}${query}`).catch(
        (error: unknown) => {
          // Without its definition there can be none.
          if (custom && error instanceof KubeError && error.status === 404) return { items: [] };
          throw error;
        },
      );
      return items.map((item) => ({ ...item, apiVersion, kind }));
    },
    create: (object) =>
      parsed('POST', restPath(object.kind, object.metadata.namespace), { body: JSON.stringify(object) }),
    replace: (object) =>
      parsed('PUT', restPath(object.kind, object.metadata.namespace, object.metadata.name), {
        body: JSON.stringify(object),
      }),
    apply: (objects, options) => serverSideApply({ context, server, request }, objects, options),
    async remove(ref) {
      const answer = await request('DELETE', `${refPath(ref)}?propagationPolicy=Background`);
      if (answer.status === 404) return false;
      if (answer.status >= 300) throw statusError(answer, refText(ref));
      return true;
    },
    service: (namespace, name, port, path, { method = 'GET', ...options } = {}) =>
      request(method, `${restPath('Service', namespace)}/${name}:${port}/proxy${path}`, options),
    close: () => agent.destroy(),
  };
  return kube;
}

/** Turns the API server's refusal into an error that names the context and the way out. */
export function explainKube(error: unknown, kube: Pick<Kube, 'context' | 'server'>, doing: string): ObsError {
  if (error instanceof ObsError) return error;
  if (error instanceof KubeError) {
    if (error.status === 0)
      return new ObsError({
        what: `the cluster does not answer while ${doing}`,
        object: `context ${kube.context} (${kube.server})`,
        cause: error.message,
        next: `kubectl --context ${kube.context} get --raw /readyz`,
      });
    if (error.status === 401)
      return new ObsError({
        what: `the cluster refuses the credentials of the context while ${doing}`,
        object: `context ${kube.context}`,
        cause: error.message,
        next: 'log in again with your cluster provider’s CLI, then: kubectl auth whoami',
      });
    if (error.status === 403)
      return new ObsError({
        what: `not allowed while ${doing}`,
        object: `context ${kube.context}`,
        cause: error.message,
        next: 'ask for the rights that `genai-obs doctor --stage preflight` lists under PRE-23',
      });
    return new ObsError({
      what: `the cluster refused while ${doing}`,
      object: `context ${kube.context} (${kube.server})`,
      cause: error.message,
      next: `kubectl --context ${kube.context} get --raw /readyz; a server that does not answer with ok is not the cluster that you mean, or not well`,
    });
  }
  return new ObsError({ what: `failed while ${doing}`, cause: redact(messageOf(error)) });
}

import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refText } from '../core/types.ts';
import { kindInfo, refPath, restPath } from './kinds.ts';
import { type Answer, KubeError, statusError } from './kubeError.ts';
import { type ApplyOptions, serverSideApply } from './serverSideApply.ts';
import { type Request, type RequestOptions, transport } from './transport.ts';

export { type Answer, KubeError, explainKube } from './kubeError.ts';
export type { RequestOptions } from './transport.ts';

export interface Kube {
  context: string;
  server: string;
  request: Request;
  /** GET as JSON. @throws KubeError */
  json<T>(path: string, timeout?: number): Promise<T>;
  /** The object, or undefined when there is none. @throws KubeError */
  read(ref: ObjectRef): Promise<KubeObject | undefined>;
  list(kind: string, namespace?: string, selector?: string): Promise<KubeObject[]>;
  create(object: KubeObject): Promise<KubeObject>;
  /** PUT; fails with 409 when `metadata.resourceVersion` is not the newest. */
  replace(object: KubeObject): Promise<KubeObject>;
  /** Server-side apply by our field manager, conflicts forced; each object names its namespace. @throws ObsError */
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

/** Default: the current context. @throws ObsError without a kubeconfig or context, or with an unusable entry */
export async function connect(contextName?: string): Promise<Kube> {
  // client-node is loaded here only: `--help` and most tests do without it.
  const { kubeconfigOf } = await import('./kubeconfig.ts');
  const { config, context } = kubeconfigOf(contextName);
  return kubeFor(context, await transport(config, context));
}

function kubeFor(context: string, { server, request, close }: Awaited<ReturnType<typeof transport>>): Kube {
  const parsed = async <T>(method: string, path: string, options?: RequestOptions): Promise<T> => {
    const answer = await request(method, path, options);
    if (answer.status >= 200 && answer.status < 300) {
      try {
        return JSON.parse(answer.body) as T;
      } catch {
        throw new KubeError(answer.status, 'NotJson', `the response of ${path} is not JSON`);
      }
    }
    throw statusError(answer, path);
  };

  return {
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
          // Without its CRD there are no objects of the kind.
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
    close,
  };
}

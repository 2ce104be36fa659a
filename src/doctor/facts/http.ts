import type { Answer } from '../../adapters/kube.ts';
import { CATALOG } from '../../components/catalog.ts';
import type { Collector } from './context.ts';
import { scrub } from './scrub.ts';

/** `service:/path` or `service:port:/path`, through the API server's proxy. */
export const http: Collector = async (rest, { kube, namespace }) => {
  const slash = rest.indexOf(':/');
  const [service = '', port] = rest.slice(0, slash).split(':');
  const path = rest.slice(slash + 1);
  return scrub(parsed(await kube.service(namespace, service, port ?? portOf(service, path), path, { timeout: 9_000 })));
};

/** Collectors have no HTTP API of their own: metrics on 8888, health on 13133. */
function portOf(service: string, path: string): number {
  if (service.startsWith('opentelemetry-')) return path.startsWith('/metrics') ? 8888 : 13133;
  const entry = Object.values(CATALOG).find((component) => component.service.name === service);
  if (!entry) throw new Error(`no component has a Service ${service}`);
  return entry.service.port;
}

export function parsed({ status, body }: Answer): { status: number; body: unknown } {
  const start = body.trimStart()[0];
  if (start !== '{' && start !== '[') return { status, body };
  try {
    return { status, body: JSON.parse(body) as unknown };
  } catch {
    return { status, body };
  }
}

/** An empty export changes nothing and is answered with 200 by a receiver that works. */
export const otlp: Collector = async (_rest, { kube, namespace }) => {
  const { name, port } = CATALOG['opentelemetry-collector'].service;
  const { status } = await kube.service(namespace, name, port, '/v1/traces', { method: 'POST', body: '{"resourceSpans":[]}', timeout: 9_000 });
  return { status };
};

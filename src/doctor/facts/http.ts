import type { Answer } from '../../adapters/kube.ts';
import { queryPrometheus } from '../../adapters/prometheus.ts';
import { type Place, PLACED_IDS, placeOf } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';
import type { Collector } from './context.ts';
import { scrub } from './scrub.ts';

/** `service:/path` or `service:port:/path`, through the API server's proxy. */
export const http: Collector = async (rest, { kube, config }) => {
  const slash = rest.indexOf(':/');
  const [service = '', port] = rest.slice(0, slash).split(':');
  const path = rest.slice(slash + 1);
  const place = placeFor(service, config);
  return scrub(
    parsed(await kube.service(place.namespace, service, port ?? portOf(place, path), path, { timeout: 9_000 })),
  );
};

/** The component of this Service. */
function placeFor(service: string, config: Config): Place {
  const places = PLACED_IDS.map((id) => placeOf(config, id)).filter((place) => place.service.name === service);
  const place = places.find(({ id }) => config[id].enabled) ?? places[0];
  if (!place) throw new Error(`no component has a Service ${service}`);
  return place;
}

/** Collectors have no HTTP API of their own: metrics on 8888, health on 13133. */
function portOf({ id, service }: Place, path: string): number {
  if (id.startsWith('opentelemetry-')) return path.startsWith('/metrics') ? 8888 : 13133;
  return service.port;
}

function parsed({ status, body }: Answer): { status: number; body: unknown } {
  const start = body.trimStart()[0];
  if (start !== '{' && start !== '[') return { status, body };
  try {
    return { status, body: JSON.parse(body) as unknown };
  } catch {
    return { status, body };
  }
}

/** An empty export stores nothing; a working receiver responds with 200. */
export const otlp: Collector = async (to, { kube, config }) => {
  const { namespace, service } = placeOf(config, to === 'jaeger' ? 'jaeger' : 'opentelemetry-collector');
  const { status } = await kube.service(namespace, service.name, 4318, '/v1/traces', {
    method: 'POST',
    body: '{"resourceSpans":[]}',
    timeout: 9_000,
  });
  return { status };
};

export const promql: Collector = (expr, { kube, config }) => queryPrometheus(kube, placeOf(config, 'prometheus'), expr);

/** `/path` of Grafana's API as its administrator. */
export const grafanaGet: Collector = async (path, context) => {
  const grafana = await context.grafana();
  return scrub(parsed(await grafana.request('GET', path)));
};

/** `/path#{json}`: a POST that changes nothing, such as a query. */
export const grafanaPost: Collector = async (rest, context) => {
  const [path = '', ...body] = rest.split('#');
  const grafana = await context.grafana();
  return scrub(parsed(await grafana.request('POST', path, body.join('#') || '{}')));
};

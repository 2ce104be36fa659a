import type { Json } from '../core/types.ts';
import { COMPONENT_IDS, type ComponentId, type Config, isEnabled } from '../profile/schema.ts';
import { CATALOG, hostOf, placeOf } from './catalog.ts';

/** Base URL of a component's HTTP API, for pods in the namespace `from`. */
export function urlOf(config: Config, id: ComponentId, from: string): string {
  const place = placeOf(config, id);
  const { port } = place.service;
  return `http://${hostOf(place, from)}${port === 80 ? '' : `:${port}`}`;
}

export const jaegerHost = (config: Config, from: string): string => hostOf(placeOf(config, 'jaeger'), from);

export function traceStore(config: Config): 'tempo' | 'jaeger' | undefined {
  if (isEnabled(config, 'tempo')) return 'tempo';
  return isEnabled(config, 'jaeger') ? 'jaeger' : undefined;
}

const SERVICES = COMPONENT_IDS.map((id) => CATALOG[id].service.name).toSorted((a, b) => b.length - a.length);
/** A Service as the host of a URL or with a port; a bare word may be a job's name. */
const ADDRESS = new RegExp(
  `(?<scheme>://)?(?<![\\w.-])(?<host>${SERVICES.join('|')})(?::(?<port>\\d+))?(?![\\w.-])`,
  'g',
);

/** Replaces addresses of our own charts' Services, which base configurations use, by those of this configuration. */
export function withAddresses<T extends Json>(value: T, config: Config, from: string): T {
  if (typeof value === 'string')
    return value.replace(ADDRESS, (...match) => addressOf(match.at(-1) as Groups, match[0], config, from)) as T;
  if (Array.isArray(value)) return value.map((item) => withAddresses(item, config, from)) as T;
  if (value && typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, withAddresses(item, config, from)]),
    ) as T;
  return value;
}

interface Groups {
  scheme?: string;
  host: string;
  port?: string;
}

function addressOf({ scheme = '', host, port }: Groups, text: string, config: Config, from: string): string {
  if (!scheme && !port) return text;
  const id = COMPONENT_IDS.find((one) => CATALOG[one].service.name === host) as ComponentId;
  const place = placeOf(config, id);
  const [own, now] = [CATALOG[id].service.port, place.service.port];
  // Other ports, such as OTLP, are the same in every chart.
  const wanted = Number(port ?? 80) === own ? now : Number(port ?? 80);
  return `${scheme}${hostOf(place, from)}${port === undefined && wanted === 80 ? '' : `:${wanted}`}`;
}

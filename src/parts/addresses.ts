import type { Json } from '../core/types.ts';
import { COMPONENT_IDS, type ComponentId, type Config, isEnabled } from '../profile/schema.ts';
import { CATALOG, hostOf, placeOf } from './catalog.ts';

/** Base URL of a component's HTTP API. */
export function urlOf(config: Config, id: ComponentId, from: string): string {
  const place = placeOf(config, id);
  const { port } = place.service;
  return `http://${hostOf(place, from)}${port === 80 ? '' : `:${port}`}`;
}

/** Host and port at which the gateway or Grafana reaches it. */
export function jaegerHost(config: Config, from: string): string {
  return hostOf(placeOf(config, 'jaeger'), from);
}

/** Where traces are stored: Tempo, or else Jaeger. */
export function traceStore(config: Config): 'tempo' | 'jaeger' | undefined {
  if (isEnabled(config, 'tempo')) return 'tempo';
  return isEnabled(config, 'jaeger') ? 'jaeger' : undefined;
}

const names = COMPONENT_IDS.map((id) => CATALOG[id].service.name).toSorted((a, b) => b.length - a.length);
/** A Service of ours as a URL's host, or with a port: a bare word may be a job's name. */
const ADDRESS = new RegExp(`(?<scheme>://)?(?<![\\w.-])(?<host>${names.join('|')})(?::(?<port>\\d+))?(?![\\w.-])`, 'g');

/** Base configurations speak of Services as our own charts name them; this puts the names of the profile in their place. */
export function placed<T extends Json>(value: T, config: Config, from: string): T {
  if (typeof value === 'string')
    return value.replace(ADDRESS, (...match) => addressOf(match.at(-1) as Groups, match[0], config, from)) as T;
  if (Array.isArray(value)) return value.map((item) => placed(item, config, from)) as T;
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, placed(item, config, from)])) as T;
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
  // Another port than the main one, such as OTLP, is the same everywhere.
  const wanted = Number(port ?? 80) === own ? now : Number(port ?? 80);
  return `${scheme}${hostOf(place, from)}${port === undefined && wanted === 80 ? '' : `:${wanted}`}`;
}

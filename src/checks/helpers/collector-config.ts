import { collectorPort } from '../../parts/collectors/mtls.ts';
import { jaegerHost, traceStore } from '../../parts/addresses.ts';
import { hostOf, type PlacedId } from '../../parts/catalog.ts';
import type { FactKey, Look } from '../../doctor/types.ts';
import type { Config } from '../../profile/schema.ts';
import { arr, at, isRec, num, rec, str, strings } from './json.ts';
import { hostAndPort, urlFor } from './place.ts';

export const COLLECTORS = [
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
] as const;
export type CollectorId = (typeof COLLECTORS)[number];
export const GATEWAY: CollectorId = 'opentelemetry-collector';
export const NODE: CollectorId = 'opentelemetry-node-collector';
export const CLUSTER: CollectorId = 'opentelemetry-cluster-collector';

export function enabledCollectors(config: Config): CollectorId[] {
  return COLLECTORS.filter((id) => config[id].enabled);
}

export function configReads(config: Config): FactKey[] {
  return enabledCollectors(config).map((id) => `config:${id}`);
}

export function eachCollector(look: Look): { id: CollectorId; config: unknown }[] {
  return enabledCollectors(look.config).map((id) => ({ id, config: look.fact<unknown>(`config:${id}`) }));
}

/** `otlp_http/loki` → `otlp_http`. */
export function typeOf(name: string): string {
  return name.split('/')[0] ?? name;
}

export interface Pipeline {
  name: string;
  signal: string;
  receivers: string[];
  processors: string[];
  exporters: string[];
}

export function pipelinesOf(config: unknown): Pipeline[] {
  return Object.entries(rec(config, 'service', 'pipelines')).map(([name, value]) => ({
    name,
    signal: typeOf(name),
    receivers: strings(value, 'receivers'),
    processors: strings(value, 'processors'),
    exporters: strings(value, 'exporters'),
  }));
}

export interface Target {
  exporter: string;
  signals: string[];
  endpoint: string;
  host: string;
  port: number;
}

/** Where the exporters that are used send to. */
export function targetsOf(config: unknown): Target[] {
  const pipelines = pipelinesOf(config);
  return Object.entries(rec(config, 'exporters')).flatMap(([exporter, settings]) => {
    const signals = pipelines.filter((pipeline) => pipeline.exporters.includes(exporter)).map(({ signal }) => signal);
    const endpoint = str(settings, 'endpoint');
    if (!endpoint || !signals.length || typeOf(exporter) === 'prometheus') return [];
    return [{ exporter, signals: [...new Set(signals)], endpoint, ...hostAndPort(endpoint) }];
  });
}

/** A backend that a signal of the gateway should reach, and the endpoint with which it is sent there. */
export function expectedTarget(look: Look, signal: string): { id: PlacedId; endpoint: string } | undefined {
  const from = look.place(GATEWAY).namespace;
  const [tempo, prometheus, loki] = [look.place('tempo'), look.place('prometheus'), look.place('loki')];
  const jaeger = traceStore(look.config) === 'jaeger';
  const backends: Record<string, [PlacedId, string]> = {
    traces: jaeger ? ['jaeger', `${jaegerHost(look.config, from)}:4317`] : ['tempo', `${hostOf(tempo, from)}:4317`],
    metrics: ['prometheus', `${urlFor(prometheus, from)}/api/v1/otlp`],
    logs: ['loki', `${urlFor(loki, from)}/otlp`],
  };
  const [id, endpoint] = backends[signal] ?? [];
  return id && endpoint && look.config[id].enabled ? { id, endpoint } : undefined;
}

/** The gateway, as another collector sends to it. */
export function gatewayTarget(look: Look, sender: CollectorId): { id: PlacedId; endpoint: string } {
  return {
    id: GATEWAY,
    endpoint: `${hostOf(look.place(GATEWAY), look.place(sender).namespace)}:${collectorPort(look.config)}`,
  };
}

/** Names of the pipelines that use a processor, receiver … of a type. */
export function uses(
  config: unknown,
  section: 'receivers' | 'processors' | 'exporters',
  types: readonly string[],
): boolean {
  return pipelinesOf(config).some((pipeline) => pipeline[section].some((name) => types.includes(typeOf(name))));
}

/** `${env:NAME}` and `${NAME}` in a text. */
export function variablesIn(text: string): string[] {
  return [...text.matchAll(/\$\{(?:env:)?([A-Za-z_]\w*)(?::-[^}]*)?\}/g)].map((match) => match[1] ?? '');
}

/** Hard limit of a memory_limiter in bytes, given the container's limit. */
export function limiterBytes(settings: unknown, container: number | undefined): number | undefined {
  const mib = num(settings, 'limit_mib');
  if (mib) return mib * 2 ** 20;
  const share = num(settings, 'limit_percentage');
  return share && container ? (share / 100) * container : undefined;
}

export function firstContainer(workload: unknown): unknown {
  return arr(workload, 'spec', 'template', 'spec', 'containers')[0];
}

export function has(config: unknown, section: string, name: string): boolean {
  const found = at(config, section);
  return isRec(found) && name in found;
}

export const AGAIN = 'genai-obs install   # renders the configuration again';

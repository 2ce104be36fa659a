import { type FactRef, fact, type Facts } from './facts.ts';
import { at, mapAt, listAt, textAt, textsAt, numberAt, isJsonMap } from '../../core/json.ts';
import { collectorPort } from '../../parts/collectors/mtls.ts';
import { jaegerHost, traceStore } from '../../parts/addresses.ts';
import { hostOf, type PlacedId } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';
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

export function configReads(config: Config): FactRef[] {
  return enabledCollectors(config).map((id) => fact.running(id));
}

export function eachCollector(facts: Facts): { id: CollectorId; config: unknown }[] {
  return enabledCollectors(facts.config).map((id) => ({ id, config: facts.running(id) }));
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
  return Object.entries(mapAt(config, 'service', 'pipelines')).map(([name, value]) => ({
    name,
    signal: typeOf(name),
    receivers: textsAt(value, 'receivers'),
    processors: textsAt(value, 'processors'),
    exporters: textsAt(value, 'exporters'),
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
  return Object.entries(mapAt(config, 'exporters')).flatMap(([exporter, settings]) => {
    const signals = pipelines.filter((pipeline) => pipeline.exporters.includes(exporter)).map(({ signal }) => signal);
    const endpoint = textAt(settings, 'endpoint');
    if (!endpoint || !signals.length || typeOf(exporter) === 'prometheus') return [];
    return [{ exporter, signals: [...new Set(signals)], endpoint, ...hostAndPort(endpoint) }];
  });
}

/** The backend of a signal, and the endpoint that the gateway should send it to. */
export function expectedTarget(facts: Facts, signal: string): { id: PlacedId; endpoint: string } | undefined {
  const from = facts.place(GATEWAY).namespace;
  const [tempo, prometheus, loki] = [facts.place('tempo'), facts.place('prometheus'), facts.place('loki')];
  const jaeger = traceStore(facts.config) === 'jaeger';
  const backends: Record<string, [PlacedId, string]> = {
    traces: jaeger ? ['jaeger', `${jaegerHost(facts.config, from)}:4317`] : ['tempo', `${hostOf(tempo, from)}:4317`],
    metrics: ['prometheus', `${urlFor(prometheus, from)}/api/v1/otlp`],
    logs: ['loki', `${urlFor(loki, from)}/otlp`],
  };
  const [id, endpoint] = backends[signal] ?? [];
  return id && endpoint && facts.config[id].enabled ? { id, endpoint } : undefined;
}

/** The gateway as the target of another collector. */
export function gatewayTarget(facts: Facts, sender: CollectorId): { id: PlacedId; endpoint: string } {
  return {
    id: GATEWAY,
    endpoint: `${hostOf(facts.place(GATEWAY), facts.place(sender).namespace)}:${collectorPort(facts.config)}`,
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
  const mib = numberAt(settings, 'limit_mib');
  if (mib) return mib * 2 ** 20;
  const share = numberAt(settings, 'limit_percentage');
  return share && container ? (share / 100) * container : undefined;
}

export function firstContainer(workload: unknown): unknown {
  return listAt(workload, 'spec', 'template', 'spec', 'containers')[0];
}

export function has(config: unknown, section: string, name: string): boolean {
  const found = at(config, section);
  return isJsonMap(found) && name in found;
}

export const AGAIN = 'genai-obs install   # restores the configuration';

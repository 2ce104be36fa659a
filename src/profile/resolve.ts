import * as v from 'valibot';
import { usageError } from '../core/errors.ts';
import { merge } from '../core/json.ts';
import type { JsonMap } from '../core/types.ts';
import type { Layer } from './layers.ts';
import { locate, suggestion } from './locate.ts';
import { brokenRule } from './rules.ts';
import { COMPONENT_IDS, type ComponentId, type Config, ConfigSchema } from './schema.ts';
import { sizedClaims } from './sizes.ts';

/** Merges layers in order. @throws ObsError (usage) naming source, line and key of the first wrong setting */
export function resolve(layers: Layer[]): Config {
  const merged = layers.reduce<JsonMap>((sum, layer) => merge(merge(sum, claimsOf(layer)), layer.data), {});
  const result = v.safeParse(ConfigSchema, merged);
  if (result.success) {
    const config = derived(result.output);
    const rule = brokenRule(config);
    if (rule) throw usageError(`${locate(layers, rule.key.split('.'))}: ${rule.key} ${rule.message}`, rule.next);
    return config;
  }
  const [issue] = result.issues;
  const path = (issue.path ?? []).map((item) => String(item.key));
  const where = locate(layers, path);
  const key = path.join('.');
  const isUnknown = issue.expected === 'never';
  throw usageError(
    isUnknown ? `${where}: unknown setting "${key}"` : `${where}: ${key} is not valid: ${issue.message}`,
    (isUnknown ? suggestion(path) : undefined) ?? 'all settings: genai-obs profile show --resolved',
  );
}

/** A size sets the claims of its row, in the layer that names it. */
const claimsOf = ({ data }: Layer): JsonMap => (typeof data['size'] === 'string' ? sizedClaims(data['size']) : {});

/** A collector without a backend would not start, or log errors. Components of one chart share its namespace. */
function derived(config: Config): Config {
  const stores = config.prometheus.enabled || config.loki.enabled;
  const gateway =
    config['opentelemetry-collector'].enabled && (stores || config.tempo.enabled || config.jaeger.enabled);
  const feeders = gateway && stores;
  const { namespace: stackNamespace } = config['kube-prometheus-stack'];
  const inStack = <T extends { chart: string; namespace: string }>(section: T): T =>
    section.chart === 'kube-prometheus-stack' ? { ...section, namespace: stackNamespace } : section;
  const needs = (chart: string, ids: readonly ComponentId[]): boolean =>
    ids.some((id) => config[id].enabled && config[id].chart === chart);
  return {
    ...config,
    prometheus: inStack(config.prometheus),
    alertmanager: inStack(config.alertmanager),
    'kube-state-metrics': inStack(config['kube-state-metrics']),
    'kube-prometheus-stack': {
      ...config['kube-prometheus-stack'],
      enabled: needs('kube-prometheus-stack', COMPONENT_IDS),
    },
    // In the namespace of Loki or Tempo, because they read its Secret.
    seaweedfs: {
      ...config.seaweedfs,
      namespace: config.seaweedfs.namespace || (config.loki.enabled ? config.loki : config.tempo).namespace,
    },
    'opentelemetry-operator': {
      ...config['opentelemetry-operator'],
      enabled: config['opentelemetry-operator'].enabled || (gateway && needs('opentelemetry-operator', COMPONENT_IDS)),
    },
    'opentelemetry-collector': { ...config['opentelemetry-collector'], enabled: gateway },
    'opentelemetry-node-collector': {
      ...config['opentelemetry-node-collector'],
      enabled: config['opentelemetry-node-collector'].enabled && feeders,
    },
    'opentelemetry-cluster-collector': {
      ...config['opentelemetry-cluster-collector'],
      enabled: config['opentelemetry-cluster-collector'].enabled && feeders,
    },
  };
}

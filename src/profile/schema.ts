import * as v from 'valibot';

/** Names of the components, in the order in which they are shown; also chart folders and release names. */
export const COMPONENT_IDS = [
  'prometheus',
  'alertmanager',
  'loki',
  'tempo',
  'kube-state-metrics',
  'grafana',
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
] as const;
export type ComponentId = (typeof COMPONENT_IDS)[number];

const name = v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and dashes'));
/** No `m`: the stores read it as minutes, people as months. */
const duration = v.pipe(v.string(), v.regex(/^[1-9]\d*[hdwy]$/, 'must be a duration such as 48h, 15d or 2w'));
const quantity = v.pipe(v.string(), v.regex(/^\d+(Mi|Gi|Ti)$/, 'must be a size such as 512Mi or 8Gi'));
const enabled = v.boolean();

/** A profile after all layers are merged; every key has a value. Row 000-VAL-01 to 000-VAL-08 name the defaults. */
export const ConfigSchema = v.strictObject({
  profile: v.string(),
  namespace: name,
  global: v.strictObject({
    environment: name,
    clusterName: v.pipe(v.string(), v.minLength(1)),
    /** Prefix put in place of every image's registry host: `registry.example/mirror`. Empty: upstream's. */
    imageRegistry: v.pipe(v.string(), v.regex(/^([^\s/]+(\/[^\s]+)*)?$/, 'must be host[:port][/path] without a trailing slash')),
  }),
  storage: v.strictObject({
    enabled,
    /** Empty: the cluster's default class. */
    storageClass: v.string(),
  }),
  'opentelemetry-collector': v.strictObject({ enabled, replicaCount: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)) }),
  'opentelemetry-node-collector': v.strictObject({ enabled }),
  'opentelemetry-cluster-collector': v.strictObject({ enabled }),
  prometheus: v.strictObject({ enabled, server: v.strictObject({ retention: duration, size: quantity }) }),
  alertmanager: v.strictObject({ enabled, size: quantity }),
  loki: v.strictObject({ enabled, retention: duration, size: quantity }),
  tempo: v.strictObject({ enabled, retention: duration, size: quantity }),
  grafana: v.strictObject({ enabled, size: quantity, service: v.strictObject({ type: v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer']) }) }),
  'kube-state-metrics': v.strictObject({ enabled }),
  genai: v.strictObject({
    cost: v.strictObject({
      /** USD per day. */
      budgetLimit: v.pipe(v.number(), v.minValue(0)),
      /** USD per million tokens by model; overrides templates/prices.yaml. */
      prices: v.record(v.string(), v.strictObject({ input: v.pipe(v.number(), v.minValue(0)), output: v.pipe(v.number(), v.minValue(0)) })),
    }),
    /** Share of traces kept, 0 to 1. */
    sampling: v.strictObject({ rate: v.pipe(v.number(), v.minValue(0), v.maxValue(1)) }),
  }),
  /** Macs that send their metrics from outside of the cluster: dashboard and alerts. Row 004-P5-05. */
  macos: v.optional(v.strictObject({ enabled }), { enabled: false }),
});

export type Config = v.InferOutput<typeof ConfigSchema>;

export function isEnabled(config: Config, id: ComponentId): boolean {
  return config[id].enabled;
}

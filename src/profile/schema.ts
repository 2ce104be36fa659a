import * as v from 'valibot';
import * as options from './options.ts';
import * as outside from './outside.ts';
import { cap, duration, interval, name, objectName, off, ownNamespace, quantity } from './values.ts';

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

/** What only upstream charts bring; off unless a profile asks for it. */
export const ADDON_IDS = [
  'cert-manager',
  'opentelemetry-operator',
  'kube-prometheus-stack',
  'jaeger',
  'metrics-server',
  'csi-driver-nfs',
  'seaweedfs',
  'dcgm-exporter',
  'cloudwatch-exporter',
  'k8s-monitoring',
] as const;
export type AddonId = (typeof ADDON_IDS)[number];

const enabled = v.boolean();
/** Where a component's objects come from: `genai-obs` is our own chart in templates/, anything else the chart of that name in src/charts/pins.ts. */
const chart = <const T extends string>(upstream: T[]) =>
  v.optional(v.picklist(['genai-obs', ...upstream]), 'genai-obs');
/** What only an upstream chart brings. */
const addon = { enabled: v.optional(v.boolean(), false), namespace: ownNamespace };

/** A profile after all layers are merged; every key has a value. Row 000-VAL-01 to 000-VAL-08 name the defaults. */
export const ConfigSchema = v.strictObject({
  profile: v.string(),
  namespace: name,
  size: options.size,
  global: v.strictObject({
    environment: name,
    clusterName: v.pipe(v.string(), v.minLength(1)),
    /** Prefix put in place of every image's registry host: `registry.example/mirror`. Empty: upstream's. */
    imageRegistry: v.pipe(
      v.string(),
      v.regex(/^([^\s/]+(\/[^\s]+)*)?$/, 'must be host[:port][/path] without a trailing slash'),
    ),
    /** Where upstream charts are taken from: a folder of archives, https://… or oci://… of a mirror; empty: their own homes. */
    charts: v.optional(v.string(), ''),
  }),
  storage: v.strictObject({
    enabled,
    /** Empty: the cluster's default class. */
    storageClass: v.string(),
    s3: options.s3,
  }),
  'opentelemetry-collector': v.strictObject({
    enabled,
    chart: chart(['opentelemetry-operator']),
    namespace: ownNamespace,
    replicaCount: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)),
    autoscaling: options.autoscaling,
    spread: options.spread,
    batch: options.batch,
    /** OTLP over HTTP from outside of the cluster. */
    ingress: options.ingress,
    /** Entry for senders outside of the cluster; anything but ClusterIP needs mutual TLS, or a token over TLS. */
    expose: options.expose,
  }),
  'opentelemetry-node-collector': v.strictObject({
    enabled,
    chart: chart(['opentelemetry-operator']),
    namespace: ownNamespace,
  }),
  'opentelemetry-cluster-collector': v.strictObject({
    enabled,
    chart: chart(['opentelemetry-operator']),
    namespace: ownNamespace,
  }),
  prometheus: v.strictObject({
    enabled,
    chart: chart(['prometheus', 'kube-prometheus-stack']),
    namespace: ownNamespace,
    server: v.strictObject({
      retention: duration,
      /** Beside the time: the oldest data go first. */
      retentionSize: cap,
      size: quantity,
      replicaCount: options.oneReplica,
      scrapeInterval: v.optional(interval, '15s'),
      remoteWrite: outside.remoteWrite,
    }),
    /** Scrape the kubelets' cAdvisor: `container_*` by pod and container. */
    cadvisor: off,
    ingress: options.ingress,
  }),
  alertmanager: v.strictObject({
    enabled,
    chart: chart(['alertmanager', 'kube-prometheus-stack']),
    namespace: ownNamespace,
    size: quantity,
    notify: outside.notify,
  }),
  loki: v.strictObject({
    enabled,
    chart: chart(['loki']),
    namespace: ownNamespace,
    retention: duration,
    size: quantity,
  }),
  tempo: v.strictObject({
    enabled,
    chart: chart(['tempo']),
    namespace: ownNamespace,
    retention: duration,
    size: quantity,
  }),
  grafana: v.strictObject({
    enabled,
    chart: chart(['grafana']),
    namespace: ownNamespace,
    size: quantity,
    replicas: options.oneReplica,
    /** Of its claim only; empty: storage.storageClass. */
    storageClass: objectName,
    ingress: options.ingress,
    gatewayProxy: options.gatewayProxy,
    /** Alerts that people make in Grafana can go the way of Prometheus' own. */
    contactPoint: off,
    service: v.strictObject({ type: v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer']) }),
  }),
  'kube-state-metrics': v.strictObject({
    enabled,
    chart: chart(['kube-state-metrics', 'kube-prometheus-stack']),
    namespace: ownNamespace,
  }),
  'opentelemetry-operator': v.optional(v.strictObject(addon), {}),
  'kube-prometheus-stack': v.optional(
    v.strictObject({
      ...addon,
      defaultRules: v.optional(v.boolean(), true),
      controlPlane: v.optional(v.boolean(), false),
    }),
    {},
  ),
  /** `existing`: somebody else's is in the cluster and serves. */
  'cert-manager': v.optional(v.strictObject({ ...addon, existing: v.optional(v.boolean(), false) }), {}),
  jaeger: v.optional(
    v.pipe(
      v.strictObject({
        ...addon,
        /** `memory` forgets with the pod; `opensearch` needs one that is there. */
        storage: v.optional(v.picklist(['memory', 'opensearch']), 'memory'),
        /** Traces kept in memory; the oldest go first. */
        maxTraces: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 50_000),
        /** Of OpenSearch: `http://opensearch-cluster-master:9200`. */
        endpoint: v.optional(v.pipe(v.string(), v.regex(/^(https?:\/\/\S+)?$/, 'must be a URL')), ''),
        /** Secret in its namespace with the keys username and password; empty: no login. */
        secret: ownNamespace,
      }),
      v.check(
        ({ storage, endpoint }) => storage === 'memory' || endpoint !== '',
        'storage opensearch needs an endpoint',
      ),
    ),
    {},
  ),
  'metrics-server': v.optional(v.strictObject(addon), {}),
  'csi-driver-nfs': v.optional(options.nfs, {}),
  seaweedfs: v.optional(options.seaweedfs, {}),
  'dcgm-exporter': v.optional(options.dcgmExporter, {}),
  'cloudwatch-exporter': v.optional(options.cloudwatchExporter, {}),
  'k8s-monitoring': v.optional(outside.cloud, {}),
  exporters: outside.exporters,
  secrets: outside.secrets,
  serviceMonitors: options.serviceMonitors,
  teams: options.teams,
  genai: v.strictObject({
    cost: v.strictObject({
      /** USD per day. */
      budgetLimit: v.pipe(v.number(), v.minValue(0)),
      /** USD for 30 days. */
      monthlyLimit: v.optional(v.pipe(v.number(), v.minValue(0)), 0),
      /** USD per million tokens by model; overrides templates/prices.yaml. */
      prices: v.record(
        v.string(),
        v.strictObject({ input: v.pipe(v.number(), v.minValue(0)), output: v.pipe(v.number(), v.minValue(0)) }),
      ),
    }),
    /** Share of traces kept, 0 to 1. */
    /** Rules, alerts and dashboards of GenOps, and its span attributes in one spelling. */
    genops: v.optional(
      v.strictObject({
        enabled: v.optional(v.boolean(), false),
        /** Where the applications run: the alerts about pods and memory look there. */
        namespace: v.optional(name, 'genops-system'),
        /** USD per day by team. */
        budgets: v.optional(v.record(v.string(), v.pipe(v.number(), v.minValue(0))), {}),
        /** USD for 30 days by team. */
        monthlyBudgets: v.optional(v.record(v.string(), v.pipe(v.number(), v.minValue(0))), {}),
      }),
      {},
    ),
    sampling: v.strictObject({
      rate: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      /** `tail` keeps errors, slow, expensive and refused calls besides the share. */
      mode: v.optional(v.picklist(['head', 'tail']), 'head'),
    }),
  }),
  /** Macs that send their metrics from outside of the cluster: dashboard and alerts. Row 004-P5-05. */
  macos: v.optional(v.strictObject({ enabled }), { enabled: false }),
  security: options.security,
});

export type Config = v.InferOutput<typeof ConfigSchema>;

/** A configuration that an earlier version wrote: settings that are new since then get their defaults. */
export function completed(config: unknown): Config {
  const result = v.safeParse(ConfigSchema, config);
  return result.success ? result.output : (config as Config);
}

export function isEnabled(config: Config, id: ComponentId | AddonId): boolean {
  return config[id].enabled;
}

/** Where a component or add-on lives. */
export function namespaceOf(config: Config, id: ComponentId | AddonId): string {
  return config[id].namespace || config.namespace;
}

/** Every namespace of an installation, its home first: the journal and the lock live there. */
export function namespacesOf(config: Config): string[] {
  const ids = [...COMPONENT_IDS, ...ADDON_IDS].filter((id) => isEnabled(config, id));
  return [
    ...new Set([
      config.namespace,
      ...ids.map((id) => namespaceOf(config, id)),
      ...config.secrets.map(({ namespace }) => namespace || config.namespace),
    ]),
  ];
}

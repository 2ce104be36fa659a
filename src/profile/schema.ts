import * as v from 'valibot';
import * as options from './options.ts';
import * as outside from './outside.ts';
import { cap, duration, interval, name, objectName, off, ownNamespace, quantity } from './values.ts';

/** Components in display order; also the names of chart folders and releases. */
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

export const COLLECTOR_IDS = [
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
] as const satisfies ComponentId[];

/** Add-ons: installed from upstream charts, off by default. */
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
/** `genai-obs` is our own chart in templates/<id>; any other name is an upstream chart of src/charts/pins.ts. */
const chart = <const T extends string>(upstream: T[]) =>
  v.optional(v.picklist(['genai-obs', ...upstream]), 'genai-obs');
const addon = { enabled: v.optional(v.boolean(), false), namespace: ownNamespace };

/** A configuration after all layers are merged; every key has a value. */
export const ConfigSchema = v.strictObject({
  profile: v.string(),
  namespace: name,
  size: options.size,
  global: v.strictObject({
    environment: name,
    clusterName: v.pipe(v.string(), v.minLength(1)),
    /** Replaces the registry host of every image: `registry.example/mirror`. Empty: upstream's. */
    imageRegistry: v.pipe(
      v.string(),
      v.regex(/^([^\s/]+(\/[^\s]+)*)?$/, 'must be host[:port][/path] without a trailing slash'),
    ),
    /** Source of upstream charts: a folder of archives, https://… or oci://…; empty: the upstream repositories. */
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
    ingress: options.ingress,
    /** Service for senders outside the cluster; any type but ClusterIP requires mutual TLS, or a token over TLS. */
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
      /** Maximum size in addition to the retention time; the oldest data are deleted first. */
      retentionSize: cap,
      size: quantity,
      replicaCount: options.oneReplica,
      scrapeInterval: v.optional(interval, '15s'),
      remoteWrite: outside.remoteWrite,
    }),
    /** Scrape cAdvisor of the kubelets: `container_*` by pod and container. */
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
    /** StorageClass of its claim only; empty: storage.storageClass. */
    storageClass: objectName,
    ingress: options.ingress,
    gatewayProxy: options.gatewayProxy,
    /** A contact point that sends Grafana's own alerts to Alertmanager. */
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
  /** `existing`: the cluster has a working cert-manager that genai-obs did not install. */
  'cert-manager': v.optional(v.strictObject({ ...addon, existing: v.optional(v.boolean(), false) }), {}),
  jaeger: v.optional(
    v.pipe(
      v.strictObject({
        ...addon,
        /** `memory` loses traces when the pod is deleted; `opensearch` must already exist. */
        storage: v.optional(v.picklist(['memory', 'opensearch']), 'memory'),
        /** Traces kept in memory; the oldest are dropped first. */
        maxTraces: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 50_000),
        /** URL of OpenSearch: `http://opensearch-cluster-master:9200`. */
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
    /** Rules, alerts and dashboards of GenOps, and normalized span attributes. */
    genops: v.optional(
      v.strictObject({
        enabled: v.optional(v.boolean(), false),
        /** Namespace of the applications that alerts on pods and memory watch. */
        namespace: v.optional(name, 'genops-system'),
        /** USD per day by team. */
        budgets: v.optional(v.record(v.string(), v.pipe(v.number(), v.minValue(0))), {}),
        /** USD for 30 days by team. */
        monthlyBudgets: v.optional(v.record(v.string(), v.pipe(v.number(), v.minValue(0))), {}),
      }),
      {},
    ),
    sampling: v.strictObject({
      /** Share of traces to store. */
      rate: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      /** `tail` also keeps errors, slow, expensive and refused calls. */
      mode: v.optional(v.picklist(['head', 'tail']), 'head'),
    }),
  }),
  /** Dashboard and alerts for Macs that send metrics from outside the cluster. */
  macos: v.optional(v.strictObject({ enabled }), { enabled: false }),
  security: options.security,
});

export type Config = v.InferOutput<typeof ConfigSchema>;

/** Adds defaults for settings that are newer than the version that wrote the configuration. */
export function completed(config: unknown): Config {
  const result = v.safeParse(ConfigSchema, config);
  return result.success ? result.output : (config as Config);
}

export const isEnabled = (config: Config, id: ComponentId | AddonId): boolean => config[id].enabled;

export const namespaceOf = (config: Config, id: ComponentId | AddonId): string =>
  config[id].namespace || config.namespace;

/** Every namespace of an installation; the first is its home, which holds the journal and the lock. */
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

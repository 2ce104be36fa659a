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

const name = v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and dashes'));
/** No `m`: the stores read it as minutes, people as months. */
const duration = v.pipe(v.string(), v.regex(/^[1-9]\d*[hdwy]$/, 'must be a duration such as 48h, 15d or 2w'));
const quantity = v.pipe(v.string(), v.regex(/^\d+(Mi|Gi|Ti)$/, 'must be a size such as 512Mi or 8Gi'));
const enabled = v.boolean();
/** Empty: the namespace of the installation. */
const ownNamespace = v.optional(v.union([v.literal(''), name]), '');
const secretKey = v.pipe(v.string(), v.regex(/^[-._a-zA-Z0-9]+$/, 'must be a key of a Secret'));
/** Where a component's objects come from: `genai-obs` is our own chart in templates/, anything else the chart of that name in src/charts/pins.ts. */
const chart = <const T extends string>(upstream: T[]) => v.optional(v.picklist(['genai-obs', ...upstream]), 'genai-obs');
/** What only an upstream chart brings. */
const addon = { enabled: v.optional(v.boolean(), false), namespace: ownNamespace };

const platform = <const T extends v.ObjectEntries>(secret: string, key: string, more: T) =>
  v.optional(
    v.strictObject({ enabled: v.optional(v.boolean(), false), secret: v.optional(name, secret), key: v.optional(secretKey, key), ...more }),
    {} as never,
  );

/** Who is told of alerts. Keys and addresses that are secret stand in Secrets of Alertmanager's namespace, never here. */
const NotifySchema = v.strictObject({
  slack: v.optional(
    v.strictObject({
      secret: name,
      key: v.optional(secretKey, 'webhook-url'),
      channel: v.pipe(v.string(), v.minLength(1)),
      /** By receiver, where one has its own: `cost-critical: "#genops-cost-critical"`. */
      channels: v.optional(v.record(v.string(), v.string()), {}),
    }),
  ),
  pagerduty: v.optional(v.strictObject({ secret: name, key: v.optional(secretKey, 'routing-key') })),
  webhook: v.optional(v.strictObject({ secret: name, key: v.optional(secretKey, 'url') })),
  email: v.optional(
    v.strictObject({
      to: v.pipe(v.string(), v.minLength(1)),
      from: v.pipe(v.string(), v.minLength(1)),
      smarthost: v.pipe(v.string(), v.regex(/^\S+:\d+$/, 'must be host:port')),
      requireTls: v.optional(v.boolean(), true),
      username: v.optional(v.string(), ''),
      /** Of the password; empty: no login. */
      secret: ownNamespace,
      key: v.optional(secretKey, 'password'),
    }),
  ),
});
const endpoint = v.optional(
  v.strictObject({
    url: v.optional(v.pipe(v.string(), v.regex(/^(https?:\/\/[^\s/@]+(\/\S*)?)?$/, 'must be a URL without credentials')), ''),
    /** Instance id: no secret. Empty: the Secret holds it. */
    user: v.optional(v.string(), ''),
  }),
  {},
);
/** What goes to Grafana Cloud, and how (seed 002). */
const cloud = {
  ...addon,
  destination: v.optional(
    v.strictObject({
      /** `otlp`: one gateway for all signals; `separate`: remote write, Loki push, and OTLP for traces. */
      mode: v.optional(v.picklist(['otlp', 'separate']), 'otlp'),
      otlp: endpoint,
      prometheus: endpoint,
      loki: endpoint,
    }),
    {},
  ),
  /** Holds user and token; what it has already is used, what it lacks is filled when installing. */
  secret: v.optional(v.strictObject({ name: v.optional(name, 'grafana-cloud'), tokenKey: v.optional(v.string(), 'token') }), {}),
  scrapeInterval: v.optional(v.pipe(v.string(), v.regex(/^[1-9]\d*(s|m)$/, 'must be an interval such as 15s or 1m')), '60s'),
  podLogs: v.optional(v.picklist(['loki', 'opentelemetry']), 'loki'),
  /** Also listen for Zipkin spans, on 9411. */
  zipkin: v.optional(v.boolean(), false),
  /** What becomes of span attributes with the text that people asked. */
  promptText: v.optional(v.picklist(['hash', 'drop', 'keep']), 'hash'),
};

/** A profile after all layers are merged; every key has a value. Row 000-VAL-01 to 000-VAL-08 name the defaults. */
export const ConfigSchema = v.strictObject({
  profile: v.string(),
  namespace: name,
  global: v.strictObject({
    environment: name,
    clusterName: v.pipe(v.string(), v.minLength(1)),
    /** Prefix put in place of every image's registry host: `registry.example/mirror`. Empty: upstream's. */
    imageRegistry: v.pipe(v.string(), v.regex(/^([^\s/]+(\/[^\s]+)*)?$/, 'must be host[:port][/path] without a trailing slash')),
    /** Where upstream charts are taken from: a folder of archives, https://… or oci://… of a mirror; empty: their own homes. */
    charts: v.optional(v.string(), ''),
  }),
  storage: v.strictObject({
    enabled,
    /** Empty: the cluster's default class. */
    storageClass: v.string(),
  }),
  'opentelemetry-collector': v.strictObject({
    enabled,
    chart: chart(['opentelemetry-operator']),
    namespace: ownNamespace,
    replicaCount: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)),
  }),
  'opentelemetry-node-collector': v.strictObject({ enabled, chart: chart(['opentelemetry-operator']), namespace: ownNamespace }),
  'opentelemetry-cluster-collector': v.strictObject({ enabled, chart: chart(['opentelemetry-operator']), namespace: ownNamespace }),
  prometheus: v.strictObject({
    enabled,
    chart: chart(['prometheus', 'kube-prometheus-stack']),
    namespace: ownNamespace,
    server: v.strictObject({ retention: duration, size: quantity }),
  }),
  alertmanager: v.strictObject({
    enabled,
    chart: chart(['alertmanager', 'kube-prometheus-stack']),
    namespace: ownNamespace,
    size: quantity,
    notify: v.optional(NotifySchema, {}),
  }),
  loki: v.strictObject({ enabled, chart: chart(['loki']), namespace: ownNamespace, retention: duration, size: quantity }),
  tempo: v.strictObject({ enabled, chart: chart(['tempo']), namespace: ownNamespace, retention: duration, size: quantity }),
  grafana: v.strictObject({
    enabled,
    chart: chart(['grafana']),
    namespace: ownNamespace,
    size: quantity,
    service: v.strictObject({ type: v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer']) }),
  }),
  'kube-state-metrics': v.strictObject({ enabled, chart: chart(['kube-state-metrics', 'kube-prometheus-stack']), namespace: ownNamespace }),
  'opentelemetry-operator': v.optional(v.strictObject(addon), {}),
  'kube-prometheus-stack': v.optional(
    v.strictObject({ ...addon, defaultRules: v.optional(v.boolean(), true), controlPlane: v.optional(v.boolean(), false) }),
    {},
  ),
  'cert-manager': v.optional(v.strictObject(addon), {}),
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
      v.check(({ storage, endpoint }) => storage === 'memory' || endpoint !== '', 'storage opensearch needs an endpoint'),
    ),
    {},
  ),
  'metrics-server': v.optional(v.strictObject(addon), {}),
  'csi-driver-nfs': v.optional(v.strictObject(addon), {}),
  seaweedfs: v.optional(v.strictObject(addon), {}),
  'dcgm-exporter': v.optional(v.strictObject(addon), {}),
  'cloudwatch-exporter': v.optional(v.strictObject(addon), {}),
  /** Platforms outside the cluster that get a copy; their keys stand in Secrets of the gateway's namespace. */
  exporters: v.optional(
    v.pipe(
      v.strictObject({
        datadog: platform('datadog', 'api-key', { site: v.optional(v.string(), 'datadoghq.com') }),
        honeycomb: platform('honeycomb', 'api-key', { endpoint: v.optional(v.string(), 'api.honeycomb.io:443') }),
        splunk: platform('splunk', 'hec-token', {
          /** URL of the HTTP event collector. */
          endpoint: v.optional(v.pipe(v.string(), v.regex(/^(https?:\/\/\S+)?$/, 'must be a URL')), ''),
          index: v.optional(v.string(), ''),
        }),
      }),
      v.check(({ splunk }) => !splunk.enabled || splunk.endpoint !== '', 'splunk needs the endpoint of its event collector'),
    ),
    {},
  ),
  'k8s-monitoring': v.optional(v.strictObject(cloud), {}),
  /** Values of Secrets that genai-obs makes from this machine's environment or files, at install time only; the configuration never holds one. */
  secrets: v.optional(
    v.array(
      v.pipe(
        v.strictObject({
          name,
          namespace: ownNamespace,
          key: v.pipe(v.string(), v.regex(/^[-._a-zA-Z0-9]+$/, 'must be a key of a Secret')),
          env: v.exactOptional(v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'))),
          file: v.exactOptional(v.pipe(v.string(), v.minLength(1))),
        }),
        v.check(({ env, file }) => (env === undefined) !== (file === undefined), 'needs env or file, one of them'),
      ),
    ),
    [],
  ),
  genai: v.strictObject({
    cost: v.strictObject({
      /** USD per day. */
      budgetLimit: v.pipe(v.number(), v.minValue(0)),
      /** USD per million tokens by model; overrides templates/prices.yaml. */
      prices: v.record(v.string(), v.strictObject({ input: v.pipe(v.number(), v.minValue(0)), output: v.pipe(v.number(), v.minValue(0)) })),
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
  return [...new Set([config.namespace, ...ids.map((id) => namespaceOf(config, id)), ...config.secrets.map(({ namespace }) => namespace || config.namespace)])];
}

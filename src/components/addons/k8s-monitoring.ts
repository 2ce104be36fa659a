import { imageParts, OWN_LABEL } from '../../parts/upstream.ts';
import type { JsonMap } from '../../core/types.ts';
import { type Config, namespaceOf } from '../../profile/schema.ts';
import type { Addon, SecretNeed } from '../../parts/types.ts';
import { CLOUD_TOKEN, CLOUD_RELEASE as RELEASE, destinationsOf, userVariable } from '../../parts/cloud.ts';

/** Which Alloys there are. What the operator makes of a preset is fixed by the chart (upstream.md B.3 3): alloy-metrics is no DaemonSet any more. */
const ALLOYS = {
  'alloy-logs': { presets: ['filesystem-log-reader', 'daemonset'], kind: 'DaemonSet' },
  'alloy-metrics': { presets: ['clustered', 'statefulset'], kind: 'StatefulSet' },
  'alloy-receiver': { presets: ['deployment'], kind: 'Deployment' },
  'alloy-singleton': { presets: ['singleton'], kind: 'Deployment' },
} as const;

/** Enough of a configuration for the chart to render its definitions: it validates before it renders. */
const FOR_CRDS: JsonMap = {
  cluster: { name: 'unused' },
  destinations: { unused: { type: 'loki', url: 'http://unused' } },
  clusterEvents: { enabled: true, collector: 'unused' },
  collectors: { unused: { presets: ['singleton'] } },
};

/** Everything to Grafana Cloud with Alloy, nothing stored in the cluster (seed 002, upstream.md A.14). */
export const k8sMonitoring: Addon = {
  id: 'k8s-monitoring',
  title: 'Grafana Kubernetes Monitoring',
  phase: 'collectors',
  chart: 'k8s-monitoring',
  release: RELEASE,
  crds: FOR_CRDS,
  secrets: secretsOf,
  values: (config) => ({
    cluster: { name: config.global.clusterName },
    global: { scrapeInterval: config['k8s-monitoring'].scrapeInterval, ...registryOf(config) },
    destinations: chartDestinations(config),
    ...features(config),
    collectors: Object.fromEntries(
      Object.entries(ALLOYS).map(([name, { presets }]) => [
        name,
        { presets: [...presets], labels: OWN_LABEL, ...stability(name, config) },
      ]),
    ),
    // Without a label of ours: both charts write the same key themselves, and a key that stands twice is no valid YAML.
    telemetryServices: { 'kube-state-metrics': { deploy: true }, 'node-exporter': { deploy: true } },
    // Two operators over one namespace would fight: ours sees its own only.
    'alloy-operator': {
      deploy: true,
      ownNamespaceOnly: true,
      podLabels: OWN_LABEL,
      waitForAlloyRemoval: hookImage(config),
    },
  }),
  workloads: () => [
    { kind: 'Deployment', name: `${RELEASE}-alloy-operator` },
    { kind: 'Deployment', name: `${RELEASE}-kube-state-metrics` },
    { kind: 'DaemonSet', name: `${RELEASE}-node-exporter` },
    ...Object.entries(ALLOYS).map(([name, { kind }]) => ({ kind, name: `${RELEASE}-${name}` })),
  ],
};

/** The token comes from whoever installs; a user that the configuration does not name, too. */
function secretsOf(config: Config): SecretNeed[] {
  const { name, tokenKey } = config['k8s-monitoring'].secret;
  const users = destinationsOf(config).map(({ user, userKey }) => ({
    name,
    key: userKey,
    value: user || { fromEnv: userVariable(userKey) },
  }));
  return [...users, { name, key: tokenKey, value: { fromEnv: CLOUD_TOKEN } }];
}

function registryOf({ global }: Config): JsonMap {
  return global.imageRegistry ? { image: { registry: global.imageRegistry }, imageRegistry: global.imageRegistry } : {};
}

/** Reading files by OpenTelemetry's receiver is no stable part of Alloy yet: the chart wants that said. */
function stability(alloy: string, config: Config): JsonMap {
  return alloy === 'alloy-logs' && config['k8s-monitoring'].podLogs === 'opentelemetry'
    ? { alloy: { stabilityLevel: 'public-preview' } }
    : {};
}

/** Hooks put a finalizer on the operator, so that it outlives what it made, and take it off before it goes. */
function hookImage({ global }: Config): JsonMap {
  const { registry, repository, tag } = imageParts('ghcr.io/grafana/helm-chart-toolbox-kubectl:0.1.2');
  return { enabled: true, image: { registry: global.imageRegistry || registry, repository, tag } };
}

/** Credentials come from the Secret alone: neither the values nor helm's record hold one. */
function chartDestinations(config: Config): JsonMap {
  const { secret } = config['k8s-monitoring'];
  return Object.fromEntries(
    destinationsOf(config).map(({ name, protocol, url, signals, userKey }) => [
      name,
      {
        type: protocol,
        url: url || UNSET,
        auth: { type: 'basic', usernameKey: userKey, passwordKey: secret.tokenKey },
        secret: { create: false, name: secret.name, namespace: namespaceOf(config, 'k8s-monitoring') },
        ...(protocol === 'otlp'
          ? {
              protocol: 'http',
              ...Object.fromEntries(SIGNALS.map((signal) => [signal, { enabled: signals.includes(signal) }])),
            }
          : {}),
      },
    ]),
  );
}

/** Lets the chart render where only its images or objects are of interest; installing is refused (src/parts/cloud.ts). */
const UNSET = 'https://unset.invalid';

const SIGNALS = ['metrics', 'logs', 'traces'] as const;

/** Series of seed 002 that the chart's allow lists drop (upstream.md B.3 8). */
const KEPT = {
  cadvisor: [
    'container_memory_usage_bytes',
    'container_cpu_cfs_throttled_periods_total',
    'container_cpu_cfs_periods_total',
  ],
  'kube-state-metrics': ['kube_pod_status_ready', 'kube_pod_container_status_restarts_total'],
};

function features(config: Config): JsonMap {
  const { podLogs, zipkin, logs } = { ...config['k8s-monitoring'], logs: { enabled: true, collector: 'alloy-logs' } };
  const tuning = (names: string[]): JsonMap => ({ metricsTuning: { includeMetrics: names } });
  return {
    clusterMetrics: {
      enabled: true,
      collector: 'alloy-metrics',
      // A managed control plane shows neither etcd nor its scheduler, and K3s has them in one process (upstream.md B.3 6).
      controlPlane: { enabled: false },
      cadvisor: tuning(KEPT.cadvisor),
      'kube-state-metrics': tuning(KEPT['kube-state-metrics']),
    },
    hostMetrics: { enabled: true, collector: 'alloy-metrics', linuxHosts: { enabled: true } },
    clusterEvents: { enabled: true, collector: 'alloy-singleton' },
    ...(podLogs === 'loki' ? { podLogsViaLoki: logs } : { podLogsViaOpenTelemetry: logs }),
    annotationAutodiscovery: { enabled: true, collector: 'alloy-metrics' },
    applicationObservability: {
      enabled: true,
      collector: 'alloy-receiver',
      receivers: {
        otlp: { grpc: { enabled: true, port: 4317 }, http: { enabled: true, port: 4318 } },
        zipkin: { enabled: zipkin, port: 9411 },
      },
      traces: { transforms: { span: [...genaiNames(), ...privacy(config)] } },
    },
  };
}

/** What the seed's applications call their attributes, under the names that GenAI tooling knows (upstream.md B.3 10); their own stay. */
function genaiNames(): string[] {
  const names = {
    'llm.model': 'gen_ai.request.model',
    'llm.tokens_prompt': 'gen_ai.usage.input_tokens',
    'llm.tokens_completion': 'gen_ai.usage.output_tokens',
  };
  return Object.entries(names).map(
    ([from, to]) =>
      `set(span.attributes["${to}"], span.attributes["${from}"]) where span.attributes["${from}"] != nil and span.attributes["${to}"] == nil`,
  );
}

/** Attributes that hold what people asked (row 002-ATTR-04, upstream.md B.3 13). */
const CONTENT = ['rag.query', 'faiss.query'];

function privacy(config: Config): string[] {
  switch (config['k8s-monitoring'].promptText) {
    case 'keep':
      return [];
    case 'drop':
      return CONTENT.map((key) => `delete_key(span.attributes, "${key}")`);
    case 'hash':
      return CONTENT.map(
        (key) =>
          `set(span.attributes["${key}"], SHA256(span.attributes["${key}"])) where span.attributes["${key}"] != nil`,
      );
  }
}

import { imageParts, OWN_LABEL } from '../../parts/upstream.ts';
import type { JsonMap } from '../../core/types.ts';
import { type Config, namespaceOf } from '../../profile/schema.ts';
import type { Addon, SecretNeed } from '../../parts/types.ts';
import { CLOUD_TOKEN, CLOUD_RELEASE as RELEASE, destinationsOf, userVariable } from '../../parts/cloud.ts';

/** Alloy instances. The preset determines the kind of workload; alloy-metrics is a StatefulSet. */
const ALLOYS = {
  'alloy-logs': { presets: ['filesystem-log-reader', 'daemonset'], kind: 'DaemonSet' },
  'alloy-metrics': { presets: ['clustered', 'statefulset'], kind: 'StatefulSet' },
  'alloy-receiver': { presets: ['deployment'], kind: 'Deployment' },
  'alloy-singleton': { presets: ['singleton'], kind: 'Deployment' },
} as const;

/** Minimal values to render the CRDs, because the chart validates before it renders. */
const FOR_CRDS: JsonMap = {
  cluster: { name: 'unused' },
  destinations: { unused: { type: 'loki', url: 'http://unused' } },
  clusterEvents: { enabled: true, collector: 'unused' },
  collectors: { unused: { presets: ['singleton'] } },
};

/** Sends all telemetry to Grafana Cloud with Alloy; stores nothing in the cluster. */
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
    // Without our label: both charts write the same key, and a duplicate key is invalid YAML.
    telemetryServices: { 'kube-state-metrics': { deploy: true }, 'node-exporter': { deploy: true } },
    // Another Alloy operator in the cluster must not manage the same resources.
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

/** Token, and users that the configuration does not name, from the environment of install. */
function secretsOf(config: Config): SecretNeed[] {
  const { name, tokenKey } = config['k8s-monitoring'].secret;
  const users = destinationsOf(config).map(({ user, userKey }) => ({
    name,
    key: userKey,
    value: user || { fromEnv: userVariable(userKey) },
  }));
  return [...users, { name, key: tokenKey, value: { fromEnv: CLOUD_TOKEN } }];
}

const registryOf = ({ global }: Config): JsonMap =>
  global.imageRegistry ? { image: { registry: global.imageRegistry }, imageRegistry: global.imageRegistry } : {};

/** Alloy's OpenTelemetry file receiver is a preview, which the chart requires to be enabled explicitly. */
function stability(alloy: string, config: Config): JsonMap {
  return alloy === 'alloy-logs' && config['k8s-monitoring'].podLogs === 'opentelemetry'
    ? { alloy: { stabilityLevel: 'public-preview' } }
    : {};
}

/** Image of the chart's hooks: a finalizer keeps the operator until its resources are deleted. */
function hookImage({ global }: Config): JsonMap {
  const { registry, repository, tag } = imageParts('ghcr.io/grafana/helm-chart-toolbox-kubectl:0.1.2');
  return { enabled: true, image: { registry: global.imageRegistry || registry, repository, tag } };
}

/** Credentials are only in the Secret, never in values or in helm's release record. */
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

/** Lets the chart render, for its images or objects; install is refused (src/parts/cloud.ts). */
const UNSET = 'https://unset.invalid';

const SIGNALS = ['metrics', 'logs', 'traces'] as const;

/** Series that the chart's allow lists would drop. */
const ADDED_METRICS = {
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
      // Not reachable in a managed control plane, nor in K3s, which runs it in one process.
      controlPlane: { enabled: false },
      cadvisor: tuning(ADDED_METRICS.cadvisor),
      'kube-state-metrics': tuning(ADDED_METRICS['kube-state-metrics']),
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

/** Copies `llm.*` attributes to the names of OpenTelemetry's GenAI conventions. */
function genaiNames(): string[] {
  const names = {
    'llm.model': 'gen_ai.request.model',
    'llm.tokens_prompt': 'gen_ai.usage.input_tokens',
    'llm.tokens_completion': 'gen_ai.usage.output_tokens',
  };
  return Object.entries(names).map(
    ([from, to]) =>
      `set(span.attributes["${to}"], span.attributes["${from}"]) ` +
      `where span.attributes["${from}"] != nil and span.attributes["${to}"] == nil`,
  );
}

/** Attributes with the text of prompts. */
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

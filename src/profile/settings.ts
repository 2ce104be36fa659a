import { ADDON_IDS, COMPONENT_IDS } from './schema.ts';

/**
 * What every setting means: docs/configuration.md is generated from this and the schema (row 000-VAL-08).
 * `<component>` and `<addon>` stand for each of them that has no line of its own.
 */
export const SETTINGS: Record<string, string> = {
  profile: 'The profile that the configuration started from.',
  namespace: 'Namespace of the stack; made when it is not there.',
  'global.environment': '`deployment.environment` and `deployment.environment.name` of all telemetry.',
  'global.clusterName': '`k8s.cluster.name` of all telemetry, `cluster` of alerts.',
  'global.imageRegistry': 'Put in place of every image’s registry host: `registry.example/mirror` makes `registry.example/mirror/grafana/loki:3.7.6`.',
  'global.charts': 'Where upstream charts come from: a folder of archives, `https://…` or `oci://…` of a mirror; empty: their own homes.',
  '<component>.chart': 'Which chart makes it: `genai-obs` is our own, another name the upstream chart, `opentelemetry-operator` a resource of that operator.',
  '<component>.namespace': 'Namespace of this component; empty: that of the stack.',
  'storage.enabled': '`false`: no claims, data live and die with the pods.',
  'storage.storageClass': 'Storage class of all claims; empty: the cluster’s default class.',
  'opentelemetry-collector.enabled': 'Gateway: OTLP entry, enrichment, span metrics, sampling, export.',
  'opentelemetry-collector.replicaCount': 'Replicas of the gateway.',
  'opentelemetry-node-collector.enabled': 'One collector a node: container logs, host and kubelet metrics.',
  'opentelemetry-cluster-collector.enabled': 'One collector: cluster metrics and Kubernetes events.',
  'prometheus.enabled': 'Metric storage, rules.',
  'prometheus.server.retention': 'How long metrics are kept.',
  'prometheus.server.size': 'Size of the claim.',
  'alertmanager.enabled': 'Routing of alerts.',
  'alertmanager.size': 'Size of the claim.',
  'alertmanager.notify':
    'Who is told of alerts: `slack: {secret, key, channel, channels}`, `pagerduty: {secret, key}`, `webhook: {secret, key}`, `email: {to, from, smarthost, username, secret, key, requireTls}`. Secrets are named, never their contents; they stand in Alertmanager’s namespace.',
  'loki.enabled': 'Log storage.',
  'loki.retention': 'How long logs are kept.',
  'loki.size': 'Size of the claim.',
  'tempo.enabled': 'Trace storage and the service map.',
  'tempo.retention': 'How long traces are kept.',
  'tempo.size': 'Size of the claim.',
  'grafana.enabled': 'Dashboards and correlations.',
  'grafana.size': 'Size of the claim.',
  'grafana.service.type': '`ClusterIP`, `NodePort` or `LoadBalancer`.',
  'kube-state-metrics.enabled': 'The cluster’s state as `kube_*` series.',
  'macos.enabled': 'Dashboard and alerts of Macs whose collectors `genai-obs macos bundle` made.',
  'opentelemetry-operator.enabled': 'Makes collectors out of resources and injects SDKs; on by itself when a collector has this chart.',
  'kube-prometheus-stack.enabled': 'The whole stack’s chart with its operator; on exactly when a component has this chart.',
  'kube-prometheus-stack.defaultRules': 'The rules of kube-prometheus about nodes and workloads beside ours.',
  'kube-prometheus-stack.controlPlane':
    'Scrape API server, etcd, scheduler, controller manager, kube-proxy and CoreDNS, with their rules. Not with K3s, which hides them in one process.',
  'cert-manager.enabled': 'Certificates for webhooks and mutual TLS; one that the cluster has is used.',
  'jaeger.enabled': 'Trace storage and search in Jaeger; the gateway sends there when Tempo is off.',
  'jaeger.storage': '`memory` (for development: it forgets with the pod) or `opensearch`, which must be there.',
  'jaeger.maxTraces': 'Traces kept in memory.',
  'jaeger.endpoint': 'URL of OpenSearch.',
  'jaeger.secret': 'Secret with `username` and `password` for OpenSearch; empty: no login.',
  'metrics-server.enabled': 'What autoscaling and `kubectl top` read; one that the cluster has is used.',
  'csi-driver-nfs.enabled': 'Volumes on an NFS server.',
  'seaweedfs.enabled': 'Object storage with the S3 API.',
  'dcgm-exporter.enabled': 'Metrics of NVIDIA GPUs.',
  'cloudwatch-exporter.enabled': 'Metrics of AWS CloudWatch.',
  'k8s-monitoring.enabled': 'Grafana’s collection of cluster telemetry with Alloy.',
  '<addon>.namespace': 'Namespace of this add-on; empty: that of the stack.',
  'genai.cost.budgetLimit': 'USD per day; drives the budget alerts and the dashboard’s threshold; 0: no budget.',
  'genai.cost.prices': 'USD per million tokens, `model: {input, output}`; wins over templates/prices.yaml.',
  'genai.sampling.rate': 'Share of traces that are stored, 0 to 1. Span metrics count all of them.',
  'genai.sampling.mode': '`head`: by trace id as spans come. `tail`: whole traces; errors, slow, expensive and refused calls are kept beside the share.',
  'genai.genops.enabled': 'GenOps: its span attributes in one spelling, its metric names as recorded aliases, its alerts and dashboards.',
  'genai.genops.namespace': 'Namespace of the applications that its alerts watch.',
  'genai.genops.budgets': 'USD per day by team.',
  'exporters.datadog.enabled': 'Copy of traces and metrics to Datadog.',
  'exporters.datadog.site': 'Site of the account.',
  'exporters.datadog.secret': 'Secret of the API key, in the gateway’s namespace.',
  'exporters.datadog.key': 'Key of that Secret.',
  'exporters.honeycomb.enabled': 'Copy of traces to Honeycomb.',
  'exporters.honeycomb.endpoint': 'host:port of its OTLP gRPC.',
  'exporters.honeycomb.secret': 'Secret of the API key, in the gateway’s namespace.',
  'exporters.honeycomb.key': 'Key of that Secret.',
  'exporters.splunk.enabled': 'Copy of logs to Splunk.',
  'exporters.splunk.endpoint': 'URL of its HTTP event collector.',
  'exporters.splunk.index': 'Index; empty: that of the token.',
  'exporters.splunk.secret': 'Secret of the token, in the gateway’s namespace.',
  'exporters.splunk.key': 'Key of that Secret.',
};

/** The line for a setting of this configuration; a line of its own wins over one for all. */
export function lineFor(path: string): string | undefined {
  const [section = '', ...rest] = path.split('.');
  const kind = COMPONENT_IDS.some((id) => id === section) ? '<component>' : ADDON_IDS.some((id) => id === section) ? '<addon>' : section;
  return [path, [kind, ...rest].join('.')].find((line) => line in SETTINGS);
}

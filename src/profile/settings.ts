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
  'cert-manager.enabled': 'Certificates for webhooks and mutual TLS; one that the cluster has is used.',
  'jaeger.enabled': 'Trace storage and search beside Tempo.',
  'metrics-server.enabled': 'What autoscaling and `kubectl top` read; one that the cluster has is used.',
  'csi-driver-nfs.enabled': 'Volumes on an NFS server.',
  'seaweedfs.enabled': 'Object storage with the S3 API.',
  'dcgm-exporter.enabled': 'Metrics of NVIDIA GPUs.',
  'cloudwatch-exporter.enabled': 'Metrics of AWS CloudWatch.',
  'k8s-monitoring.enabled': 'Grafana’s collection of cluster telemetry with Alloy.',
  'k8s-monitoring.destination.mode': '`otlp`: one gateway for all signals; `separate`: remote write, Loki push, and OTLP for traces (docs/grafana-cloud.md).',
  'k8s-monitoring.destination.otlp.url': 'OTLP gateway, `…/otlp`; without credentials.',
  'k8s-monitoring.destination.otlp.user': 'Instance id; empty: the Secret holds it.',
  'k8s-monitoring.destination.prometheus.url': 'Remote write, `…/api/prom/push`; mode separate.',
  'k8s-monitoring.destination.prometheus.user': 'Instance id; empty: the Secret holds it.',
  'k8s-monitoring.destination.loki.url': 'Push endpoint, `…/loki/api/v1/push`; mode separate.',
  'k8s-monitoring.destination.loki.user': 'Instance id; empty: the Secret holds it.',
  'k8s-monitoring.secret.name': 'Secret with users and token; what it lacks is filled when installing.',
  'k8s-monitoring.secret.tokenKey': 'Its key with the token; taken from `GRAFANA_CLOUD_TOKEN` when the Secret lacks it.',
  'k8s-monitoring.scrapeInterval': 'How often everything is scraped; 15s costs four times the samples of 60s.',
  'k8s-monitoring.podLogs': '`loki`, or `opentelemetry` (a preview in Alloy).',
  'k8s-monitoring.zipkin': 'Also listen for Zipkin spans, on 9411.',
  'k8s-monitoring.promptText': 'What becomes of `rag.query` and `faiss.query`: `hash`, `drop` or `keep`.',
  '<addon>.namespace': 'Namespace of this add-on; empty: that of the stack.',
  secrets:
    'Secrets made from this machine when installing, a list of `{name, namespace, key, env}` or `{name, namespace, key, file}`; `env` names a variable (or `<NAME>_FILE` a file). Values are in no plan, journal or log.',
  'genai.cost.budgetLimit': 'USD per day; drives the budget alerts and the dashboard’s threshold; 0: no budget.',
  'genai.cost.prices': 'USD per million tokens, `model: {input, output}`; wins over templates/prices.yaml.',
  'genai.sampling.rate': 'Share of traces that are stored, 0 to 1. Span metrics count all of them.',
};

/** The line for a setting of this configuration; a line of its own wins over one for all. */
export function lineFor(path: string): string | undefined {
  const [section = '', ...rest] = path.split('.');
  const kind = COMPONENT_IDS.some((id) => id === section) ? '<component>' : ADDON_IDS.some((id) => id === section) ? '<addon>' : section;
  return [path, [kind, ...rest].join('.')].find((line) => line in SETTINGS);
}

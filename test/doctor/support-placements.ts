import type { FactEdits } from './support-edit.ts';

/** The placement of profile k3s: operator, upstream charts, four namespaces. */
export const K3S: FactEdits = {
  namespace: 'observability',
  'opentelemetry-operator': { enabled: true, namespace: 'operators' },
  'opentelemetry-collector.chart': 'opentelemetry-operator',
  'opentelemetry-node-collector.chart': 'opentelemetry-operator',
  'opentelemetry-cluster-collector.chart': 'opentelemetry-operator',
  'prometheus.chart': 'prometheus',
  'prometheus.namespace': 'monitoring',
  'alertmanager.chart': 'alertmanager',
  'alertmanager.namespace': 'monitoring',
  'loki.chart': 'loki',
  'loki.namespace': 'monitoring',
  'tempo.chart': 'tempo',
  'tempo.namespace': 'monitoring',
  'kube-state-metrics.chart': 'kube-state-metrics',
  'kube-state-metrics.namespace': 'monitoring',
  'grafana.chart': 'grafana',
  'grafana.namespace': 'grafana',
};

/** Metrics by kube-prometheus-stack, everything else ours, in two namespaces. */
export const STACK: FactEdits = {
  'prometheus.chart': 'kube-prometheus-stack',
  'prometheus.namespace': 'monitoring',
  'alertmanager.chart': 'kube-prometheus-stack',
  'alertmanager.namespace': 'monitoring',
  'kube-state-metrics.chart': 'kube-prometheus-stack',
  'kube-state-metrics.namespace': 'monitoring',
};

/** Our charts under their own names, each backend in a namespace of its own. */
export const SPREAD: FactEdits = {
  'prometheus.namespace': 'metrics',
  'loki.namespace': 'logs',
  'tempo.namespace': 'traces',
  'grafana.namespace': 'ui',
};

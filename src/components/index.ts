import type { Component } from '../parts/types.ts';
import { prometheus } from './prometheus.ts';
import { alertmanager } from './alertmanager.ts';
import { loki } from './loki.ts';
import { tempo } from './tempo.ts';
import { kubeStateMetrics } from './kube-state-metrics.ts';
import { grafana } from './grafana.ts';
import { gatewayCollector } from './opentelemetry-collector.ts';
import { nodeCollector } from './opentelemetry-node-collector.ts';
import { clusterCollector } from './opentelemetry-cluster-collector.ts';

/** All components. A new one: a file here, a row in parts/catalog.ts, a folder in templates/, a line in this list. */
export const COMPONENTS: Component[] = [
  prometheus,
  alertmanager,
  loki,
  tempo,
  kubeStateMetrics,
  grafana,
  gatewayCollector,
  nodeCollector,
  clusterCollector,
];

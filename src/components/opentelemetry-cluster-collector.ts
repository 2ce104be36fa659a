import { collectorEnv, onlyStored } from './collector.ts';
import type { Component } from './types.ts';

/** A single replica for what must be collected once: cluster metrics and Kubernetes events (COL-24). */
export const clusterCollector: Component = {
  id: 'opentelemetry-cluster-collector',
  phase: 'collectors',
  needs: [],
  configure: onlyStored,
  values: (config) => collectorEnv(config),
};

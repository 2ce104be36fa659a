import { collectorEnv, onlyStored } from './collector.ts';
import type { Component } from './types.ts';

/** One per node: container logs, host and kubelet metrics, all sent to the gateway. */
export const nodeCollector: Component = {
  id: 'opentelemetry-node-collector',
  phase: 'collectors',
  needs: [],
  configure: onlyStored,
  values: (config) => collectorEnv(config),
};

import { collectorEnv, onlyStored } from './collector.ts';
import { collectorResources } from './operator.ts';
import type { Component } from './types.ts';

/** A single replica for what must be collected once: cluster metrics and Kubernetes events (COL-24). */
export const clusterCollector: Component = {
  id: 'opentelemetry-cluster-collector',
  phase: 'collectors',
  needs: [],
  configure: onlyStored,
  values: (config) => collectorEnv(config),
  resources: (input) =>
    collectorResources(input, {
      mode: 'deployment',
      replicas: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 10001, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    }),
};

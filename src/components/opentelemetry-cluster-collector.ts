import { collectorEnv, onlyStored } from '../parts/collectors/pipelines.ts';
import { protectedExit, protectedValues, secretVolumes } from '../parts/collectors/mtls.ts';
import { UNPRIVILEGED, collectorResources } from '../parts/collectors/operator.ts';
import type { Component } from '../parts/types.ts';

/** One replica for what must be collected only once: cluster metrics and Kubernetes events. */
export const clusterCollector: Component = {
  id: 'opentelemetry-cluster-collector',
  phase: 'collectors',
  needs: ['certificates'],
  configure: (template, config) => protectedExit(onlyStored(template, config), config),
  values: (config) => ({ ...protectedValues(config, 'opentelemetry-cluster-collector'), ...collectorEnv(config) }),
  resources: (input) =>
    collectorResources(input, {
      mode: 'deployment',
      replicas: 1,
      securityContext: UNPRIVILEGED,
      ...secretVolumes(input.config, 'opentelemetry-cluster-collector'),
    }),
};

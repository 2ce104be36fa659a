import { collectorEnv, onlyStored } from '../parts/collectors/pipelines.ts';
import { protectedExit, protectedValues, secretVolumes } from '../parts/collectors/mtls.ts';
import { collectorResources, excludingOwnLogs } from '../parts/collectors/operator.ts';
import type { Component } from '../parts/types.ts';
import { CONTAINER_SECURITY } from '../parts/upstream.ts';

/** One per node: container logs, host and kubelet metrics, sent to the gateway. */
export const nodeCollector: Component = {
  id: 'opentelemetry-node-collector',
  phase: 'collectors',
  needs: ['certificates'],
  configure: (template, config) => protectedExit(onlyStored(template, config), config),
  values: (config) => ({ ...protectedValues(config, 'opentelemetry-node-collector'), ...collectorEnv(config) }),
  resources: (input) => {
    const secrets = secretVolumes(input.config, 'opentelemetry-node-collector');
    return collectorResources(
      { ...input, configuration: excludingOwnLogs(input.configuration) },
      {
        mode: 'daemonset',
        // Only root may read log files and the kubelet's folders.
        securityContext: { runAsUser: 0, runAsGroup: 0, ...CONTAINER_SECURITY },
        tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        volumes: [
          { name: 'checkpoints', emptyDir: {} },
          { name: 'logs', hostPath: { path: '/var/log/pods' } },
          { name: 'host', hostPath: { path: '/' } },
          ...(secrets.volumes ?? []),
        ],
        volumeMounts: [
          { name: 'checkpoints', mountPath: '/var/lib/otelcol' },
          { name: 'logs', mountPath: '/var/log/pods', readOnly: true },
          { name: 'host', mountPath: '/hostfs', mountPropagation: 'HostToContainer', readOnly: true },
          ...(secrets.volumeMounts ?? []),
        ],
      },
    );
  },
};

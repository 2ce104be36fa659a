import { collectorEnv, onlyStored } from './collector.ts';
import { collectorResources, excludingOwnLogs } from './operator.ts';
import type { Component } from './types.ts';

/** One per node: container logs, host and kubelet metrics, all sent to the gateway. */
export const nodeCollector: Component = {
  id: 'opentelemetry-node-collector',
  phase: 'collectors',
  needs: [],
  configure: onlyStored,
  values: (config) => collectorEnv(config),
  resources: (input) =>
    collectorResources(
      { ...input, configuration: excludingOwnLogs(input.configuration) },
      {
        mode: 'daemonset',
        // Log files and the kubelet's folders belong to root.
        securityContext: { runAsUser: 0, runAsGroup: 0, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        volumes: [
          { name: 'checkpoints', emptyDir: {} },
          { name: 'logs', hostPath: { path: '/var/log/pods' } },
          { name: 'host', hostPath: { path: '/' } },
        ],
        volumeMounts: [
          { name: 'checkpoints', mountPath: '/var/lib/otelcol' },
          { name: 'logs', mountPath: '/var/log/pods', readOnly: true },
          { name: 'host', mountPath: '/hostfs', mountPropagation: 'HostToContainer', readOnly: true },
        ],
      },
    ),
};

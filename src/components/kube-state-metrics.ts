import type { Component } from './types.ts';

/** Classic `kube_*` series of the cluster's state; it has no configuration file. */
export const kubeStateMetrics: Component = {
  id: 'kube-state-metrics',
  phase: 'backends',
  needs: [],
  configure: () => ({}),
};

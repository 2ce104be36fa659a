import { imageOf } from '../../parts/catalog.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';

/** Metrics for autoscaling and `kubectl top`; an existing one, as in K3s, is used. */
export const metricsServer: Addon = {
  id: 'metrics-server',
  title: 'metrics-server',
  phase: 'operator',
  chart: 'metrics-server',
  release: 'metrics-server',
  provided: { ref: { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', name: 'v1beta1.metrics.k8s.io' } },
  workloads: () => [{ kind: 'Deployment', name: 'metrics-server' }],
  values: (config) => ({
    fullnameOverride: 'metrics-server',
    commonLabels: OWN_LABEL,
    image: imageOneHost(imageOf('registry.k8s.io/metrics-server/metrics-server:v0.8.1', config.global.imageRegistry)),
    // Most kubelets' certificates are not signed by the cluster's CA.
    args: ['--kubelet-insecure-tls'],
  }),
};

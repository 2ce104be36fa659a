import { imageOf } from '../../parts/catalog.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';

/** What autoscaling and `kubectl top` read; K3s brings its own, which is then used (upstream.md A.19). */
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
    // Kubelets mostly serve certificates that the cluster's CA has not signed.
    args: ['--kubelet-insecure-tls'],
  }),
};

import { imageOf } from '../../parts/catalog.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';

/** Utilization, memory and errors of NVIDIA GPUs (`DCGM_FI_*`), scraped by annotation. */
export const dcgmExporter: Addon = {
  id: 'dcgm-exporter',
  title: 'GPU metrics',
  phase: 'collectors',
  chart: 'dcgm-exporter',
  release: 'dcgm-exporter',
  workloads: () => [{ kind: 'DaemonSet', name: 'dcgm-exporter' }],
  values: (config) => ({
    fullnameOverride: 'dcgm-exporter',
    image: imageOneHost(
      imageOf('nvcr.io/nvidia/k8s/dcgm-exporter:4.5.3-4.8.2-distroless', config.global.imageRegistry),
    ),
    podLabels: OWN_LABEL,
    podAnnotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9400' },
    serviceMonitor: { enabled: false },
    nodeSelector: Object.fromEntries([config['dcgm-exporter'].nodeLabel.split('=')]),
    tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
  }),
};

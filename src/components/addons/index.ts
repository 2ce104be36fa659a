import type { Addon } from '../types.ts';
import { certManager } from './cert-manager.ts';
import { cloudwatchExporter } from './cloudwatch-exporter.ts';
import { csiDriverNfs } from './csi-driver-nfs.ts';
import { dcgmExporter } from './dcgm-exporter.ts';
import { jaeger } from './jaeger.ts';
import { k8sMonitoring } from './k8s-monitoring.ts';
import { kubePrometheusStack } from './kube-prometheus-stack.ts';
import { metricsServer } from './metrics-server.ts';
import { opentelemetryOperator } from './opentelemetry-operator.ts';
import { seaweedfs } from './seaweedfs.ts';

/** Every add-on: a new one is a file here, a pin in src/charts/pins.ts, a section in the schema, and a line in this list. */
export const ADDONS: Addon[] = [
  certManager,
  opentelemetryOperator,
  metricsServer,
  kubePrometheusStack,
  jaeger,
  seaweedfs,
  csiDriverNfs,
  dcgmExporter,
  cloudwatchExporter,
  k8sMonitoring,
];

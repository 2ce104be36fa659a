import { COMPONENT_IDS, type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { type Release, releaseOf } from '../../parts/catalog.ts';
import type { Addon } from '../../parts/types.ts';
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

/** All add-ons. A new one: a file here, a pin in src/charts/pins.ts, a section in the schema, a line in this list. */
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

/** Enabled add-ons that are always ours, because the cluster cannot already have them. */
export const ownAddons = (config: Config): Addon[] =>
  ADDONS.filter(({ id, provided }) => isEnabled(config, id) && !provided);

/** Every Helm release of the configuration, each once. */
export function releasesOf(config: Config): Release[] {
  const addons = ownAddons(config).map(({ id, release }) => ({ name: release, namespace: namespaceOf(config, id) }));
  const all = [
    ...addons,
    ...COMPONENT_IDS.filter((id) => config[id].enabled).flatMap((id) => releaseOf(config, id) ?? []),
  ];
  return [...new Map(all.map((release) => [`${release.namespace}/${release.name}`, release])).values()];
}

/** Where a chart comes from; test/contracts holds the facts about exactly this version. */
export interface Pin {
  chart: string;
  /** As upstream spells it: cert-manager alone has a leading v. */
  version: string;
  /** Repository with an index.yaml. */
  repo: string;
  /** The same archive in a registry, where its project publishes one. */
  oci?: string;
  /** sha256 of the archive. */
  digest?: string;
}

const OTEL = { repo: 'https://open-telemetry.github.io/opentelemetry-helm-charts', registry: 'oci://ghcr.io/open-telemetry/opentelemetry-helm-charts' };
const PROMETHEUS = { repo: 'https://prometheus-community.github.io/helm-charts', registry: 'oci://ghcr.io/prometheus-community/charts' };
const GRAFANA_COMMUNITY = { repo: 'https://grafana-community.github.io/helm-charts', registry: 'oci://ghcr.io/grafana-community/helm-charts' };
/** Still serves frozen old versions of grafana, loki and tempo: those moved to grafana-community. */
const GRAFANA = { repo: 'https://grafana.github.io/helm-charts' };

function pin(chart: string, version: string, home: { repo: string; registry?: string }): Pin {
  return { chart, version, repo: home.repo, ...(home.registry ? { oci: `${home.registry}/${chart}` } : {}) };
}

/** Every upstream chart that a profile can install (upstream.md section 0). */
export const PINS = {
  alertmanager: pin('alertmanager', '1.42.0', PROMETHEUS),
  alloy: pin('alloy', '1.11.1', GRAFANA),
  'cert-manager': pin('cert-manager', 'v1.21.1', { repo: 'https://charts.jetstack.io', registry: 'oci://quay.io/jetstack/charts' }),
  'csi-driver-nfs': pin('csi-driver-nfs', '4.13.4', { repo: 'https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts' }),
  'dcgm-exporter': pin('dcgm-exporter', '4.8.2', { repo: 'https://nvidia.github.io/dcgm-exporter/helm-charts' }),
  grafana: pin('grafana', '12.11.1', GRAFANA_COMMUNITY),
  jaeger: pin('jaeger', '4.11.1', { repo: 'https://jaegertracing.github.io/helm-charts' }),
  'k8s-monitoring': pin('k8s-monitoring', '4.4.0', { ...GRAFANA, registry: 'oci://ghcr.io/grafana/helm-charts' }),
  'kube-prometheus-stack': pin('kube-prometheus-stack', '88.5.3', PROMETHEUS),
  'kube-state-metrics': pin('kube-state-metrics', '8.4.0', PROMETHEUS),
  loki: pin('loki', '18.11.0', GRAFANA_COMMUNITY),
  'metrics-server': pin('metrics-server', '3.13.1', { repo: 'https://kubernetes-sigs.github.io/metrics-server/' }),
  opensearch: pin('opensearch', '3.6.0', { repo: 'https://opensearch-project.github.io/helm-charts/' }),
  'opentelemetry-collector': pin('opentelemetry-collector', '0.170.0', OTEL),
  'opentelemetry-operator': pin('opentelemetry-operator', '0.122.0', OTEL),
  prometheus: pin('prometheus', '29.27.0', PROMETHEUS),
  'prometheus-node-exporter': pin('prometheus-node-exporter', '4.56.1', PROMETHEUS),
  'prometheus-operator-crds': pin('prometheus-operator-crds', '31.0.1', PROMETHEUS),
  'prometheus-yet-another-cloudwatch-exporter': pin('prometheus-yet-another-cloudwatch-exporter', '0.47.0', PROMETHEUS),
  seaweedfs: pin('seaweedfs', '4.44.0', { repo: 'https://seaweedfs.github.io/seaweedfs/helm' }),
  tempo: pin('tempo', '2.2.4', GRAFANA_COMMUNITY),
} satisfies Record<string, Pin>;

export type ChartName = keyof typeof PINS;

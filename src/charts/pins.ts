/** Where a chart comes from; test/contracts holds the facts about exactly this version. */
export interface Pin {
  chart: string;
  /** As upstream spells it: cert-manager alone has a leading v. */
  version: string;
  /** Repository with an index.yaml. */
  repo: string;
  /** The same archive in a registry, where its project publishes one. */
  oci?: string;
  /** sha256 of the archive, from the repository's index.yaml; unset where that index was not at hand. */
  digest?: string;
}

const OTEL = {
  repo: 'https://open-telemetry.github.io/opentelemetry-helm-charts',
  registry: 'oci://ghcr.io/open-telemetry/opentelemetry-helm-charts',
};
const PROMETHEUS = {
  repo: 'https://prometheus-community.github.io/helm-charts',
  registry: 'oci://ghcr.io/prometheus-community/charts',
};
const GRAFANA_COMMUNITY = {
  repo: 'https://grafana-community.github.io/helm-charts',
  registry: 'oci://ghcr.io/grafana-community/helm-charts',
};
/** Still serves frozen old versions of grafana, loki and tempo: those moved to grafana-community. */
const GRAFANA = { repo: 'https://grafana.github.io/helm-charts' };

function pin(chart: string, version: string, home: { repo: string; registry?: string }, digest?: string): Pin {
  return {
    chart,
    version,
    repo: home.repo,
    ...(home.registry ? { oci: `${home.registry}/${chart}` } : {}),
    ...(digest ? { digest } : {}),
  };
}

export const PINS = {
  alertmanager: pin('alertmanager', '1.42.0', PROMETHEUS),
  alloy: pin('alloy', '1.11.1', GRAFANA, 'cc4cd48a885c070fe8b2929971552852375c11e92d95fc6337d0c3fa277ac575'),
  'cert-manager': pin('cert-manager', 'v1.21.1', {
    repo: 'https://charts.jetstack.io',
    registry: 'oci://quay.io/jetstack/charts',
  }),
  'csi-driver-nfs': pin(
    'csi-driver-nfs',
    '4.13.4',
    { repo: 'https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts' },
    '3b923d981776f37b19808a3ad790d88517ff437ffce6fa1b97e3a10bb5f771a6',
  ),
  'dcgm-exporter': pin(
    'dcgm-exporter',
    '4.8.2',
    { repo: 'https://nvidia.github.io/dcgm-exporter/helm-charts' },
    '1c5535c03ebab3f021444df6016fce1cd7871385122e115c6ed24c804b623803',
  ),
  grafana: pin(
    'grafana',
    '12.11.1',
    GRAFANA_COMMUNITY,
    '5dddbb4efe49f502a50264592637f4d2b99db50a0a800abde2f8cba3f8da0a74',
  ),
  jaeger: pin(
    'jaeger',
    '4.11.1',
    { repo: 'https://jaegertracing.github.io/helm-charts' },
    '120aad01641b88fd73fb097cd63af94aac4e9d49115877f5f63b52b86b512180',
  ),
  'k8s-monitoring': pin(
    'k8s-monitoring',
    '4.4.0',
    { ...GRAFANA, registry: 'oci://ghcr.io/grafana/helm-charts' },
    '910ac774c6acffa91279f5b135f4d5048620ad8ca136545b3368006d28532996',
  ),
  'kube-prometheus-stack': pin('kube-prometheus-stack', '88.5.3', PROMETHEUS),
  'kube-state-metrics': pin('kube-state-metrics', '8.4.0', PROMETHEUS),
  loki: pin('loki', '18.11.0', GRAFANA_COMMUNITY, 'd4d99424d197e1460878093c9fced02346669ab0698a0dca7c575ab76fff7aeb'),
  'metrics-server': pin(
    'metrics-server',
    '3.13.1',
    { repo: 'https://kubernetes-sigs.github.io/metrics-server/' },
    '084e6edb680cf4e2acc30bd496568c53fdf663cbacf6e17876b25785c35b7a13',
  ),
  opensearch: pin(
    'opensearch',
    '3.6.0',
    { repo: 'https://opensearch-project.github.io/helm-charts/' },
    'ca273ab819658024253fac6a81d289d8cace24b668f8d50c6995910e658d7d90',
  ),
  'opentelemetry-collector': pin(
    'opentelemetry-collector',
    '0.170.0',
    OTEL,
    'ed140b332233075c7fd15eaebba571fdf100926f08c0a5a274c7b32895315137',
  ),
  'opentelemetry-operator': pin(
    'opentelemetry-operator',
    '0.122.0',
    OTEL,
    'b66f9b937ab644e75c0042395dc85bfc041eb5c51d22719b944d3e2bf32b5e4b',
  ),
  prometheus: pin('prometheus', '29.27.0', PROMETHEUS),
  'prometheus-node-exporter': pin('prometheus-node-exporter', '4.56.1', PROMETHEUS),
  'prometheus-operator-crds': pin('prometheus-operator-crds', '31.0.1', PROMETHEUS),
  'prometheus-yet-another-cloudwatch-exporter': pin('prometheus-yet-another-cloudwatch-exporter', '0.47.0', PROMETHEUS),
  seaweedfs: pin(
    'seaweedfs',
    '4.44.0',
    { repo: 'https://seaweedfs.github.io/seaweedfs/helm' },
    'cf7741928657659424a7011a903f925bc1c480a00cb4c0a6df93da8feaaa9cf2',
  ),
  tempo: pin('tempo', '2.2.4', GRAFANA_COMMUNITY, '5f3f4b29c4487b9c27715c18bc6c7b0889712b14075d97705f9b151a51725f68'),
} satisfies Record<string, Pin>;

export type ChartName = keyof typeof PINS;

/** The chart of a release: ours in templates/, or an upstream archive. */
export type ChartRef = { source: 'genai-obs'; name: string } | { source: 'upstream'; name: ChartName };

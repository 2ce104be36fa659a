import { type Config, isEnabled } from '../../profile/schema.ts';
import type { JsonMap } from '../../core/types.ts';
import { merge } from '../../core/json.ts';
import { COMPONENTS } from '../index.ts';
import { imageOf, placeOf } from '../../parts/catalog.ts';
import { inputOf } from '../../parts/templates.ts';
import type { Addon, Component } from '../../parts/types.ts';
import { OWN_LABEL, imageParts } from '../../parts/upstream.ts';

const CHART = 'kube-prometheus-stack';
const OPERATOR = 'v0.93.1';

/** Those of the chart's parts that the profile takes from it. */
function parts(config: Config): Component[] {
  return COMPONENTS.filter(({ id }) => isEnabled(config, id) && config[id].chart === CHART);
}

/** Rules of the chart that rest on series which are here: of kube-state-metrics, the node exporter and the operator. The rest belongs to the control plane or repeats ours. */
const RULES = [
  'configReloaders',
  'k8sContainerResource',
  'k8sPodOwner',
  'kubernetesApps',
  'kubernetesResources',
  'kubeStateMetrics',
  'kubePrometheusNodeRecording',
  'network',
  'node',
  'nodeExporterAlerting',
  'nodeExporterRecording',
  'prometheusOperator',
];
/** Of what a K3s server keeps in its own process, where nothing can be scraped: the alerts would fire for ever (upstream.md A.5). */
const CONTROL_PLANE = [
  'etcd',
  'kubeApiserverAvailability',
  'kubeApiserverBurnrate',
  'kubeApiserverHistogram',
  'kubeApiserverSlos',
  'kubeControllerManager',
  'kubeProxy',
  'kubeSchedulerAlerting',
  'kubeSchedulerRecording',
  'kubernetesSystem',
];
/** They repeat ours under other names, or need the kubelet's series, which our node collectors bring. */
const OFF = [
  'alertmanager',
  'general',
  'k8sContainerCpuUsageSecondsTotal',
  'k8sContainerMemoryCache',
  'k8sContainerMemoryRss',
  'k8sContainerMemorySwap',
  'k8sContainerMemoryWorkingSetBytes',
  'kubelet',
  'kubePrometheusGeneral',
  'kubernetesStorage',
  'prometheus',
  'windows',
];

/** Prometheus operator with Prometheus, Alertmanager, kube-state-metrics and node exporters in one release (rows 003-QS-01, 003-PROM-*; upstream.md A.5). */
export const kubePrometheusStack: Addon = {
  id: CHART,
  title: 'kube-prometheus-stack',
  phase: 'backends',
  chart: CHART,
  release: 'monitoring',
  crds: { crds: { enabled: true } },
  needs: (config) =>
    parts(config).flatMap((part) => (inputOf(config, part).claim ? [`claim/${inputOf(config, part).claim}`] : [])),
  workloads: (config) => [
    { kind: 'Deployment', name: 'monitoring-kube-prometheus-operator' },
    { kind: 'DaemonSet', name: 'monitoring-prometheus-node-exporter' },
    ...parts(config).map(({ id }) => placeOf(config, id).workload),
  ],
  values: (config) =>
    parts(config).reduce<JsonMap>((sum, part) => merge(sum, part.stack?.(inputOf(config, part)) ?? {}), base(config)),
};

function base(config: Config): JsonMap {
  const { controlPlane, defaultRules } = config[CHART];
  const image = (reference: string): JsonMap => imageParts(imageOf(reference, config.global.imageRegistry));
  const scraped = Object.fromEntries(
    ['kubeApiServer', 'kubeControllerManager', 'coreDns', 'kubeEtcd', 'kubeScheduler', 'kubeProxy'].map((part) => [
      part,
      { enabled: controlPlane },
    ]),
  );
  const flags = (names: string[], on: boolean): JsonMap => Object.fromEntries(names.map((name) => [name, on]));
  return {
    // The chart writes its own name as part-of; a second such key in commonLabels would make the objects invalid.
    nameOverride: OWN_LABEL['app.kubernetes.io/part-of'] as string,
    fullnameOverride: 'monitoring-kube-prometheus',
    crds: { enabled: false },
    defaultRules: {
      create: defaultRules,
      rules: { ...flags(RULES, true), ...flags(CONTROL_PLANE, controlPlane), ...flags(OFF, false) },
    },
    ...scraped,
    // Our node collectors read the kubelets: twice, under the same names, every sum would double. The operator's Service for them would outlive it in kube-system.
    kubelet: { enabled: false },
    grafana: { enabled: false },
    prometheus: { enabled: false },
    alertmanager: { enabled: false },
    kubeStateMetrics: { enabled: false },
    'prometheus-node-exporter': {
      image: { ...image('quay.io/prometheus/node-exporter:v1.12.1-distroless'), distroless: false },
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '96Mi' } },
    },
    prometheusOperator: {
      // Rules are checked before they get here; without webhooks there is nothing that blocks others' rules.
      admissionWebhooks: { enabled: false },
      tls: { enabled: false },
      kubeletService: { enabled: false },
      kubeletEndpointsEnabled: false,
      image: image(`quay.io/prometheus-operator/prometheus-operator:${OPERATOR}`),
      thanosImage: image('quay.io/thanos/thanos:v0.42.4'),
      prometheusConfigReloader: { image: image(`quay.io/prometheus-operator/prometheus-config-reloader:${OPERATOR}`) },
      resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    },
  };
}

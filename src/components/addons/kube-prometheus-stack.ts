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

const partsOf = (config: Config): Component[] =>
  COMPONENTS.filter(({ id }) => isEnabled(config, id) && config[id].chart === CHART);

/** Rules whose series exist here: those of kube-state-metrics, the node exporter and the operator. */
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
/** Rules of the control plane, which K3s runs in one process without targets: their alerts would always fire. */
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
/** Rules that duplicate ours, or need a scrape of the kubelets, which our node collectors replace. */
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

export const kubePrometheusStack: Addon = {
  id: CHART,
  title: 'kube-prometheus-stack',
  phase: 'backends',
  chart: CHART,
  release: 'monitoring',
  crds: { crds: { enabled: true } },
  needs: (config) =>
    partsOf(config).flatMap((part) => (inputOf(config, part).claim ? [`claim/${inputOf(config, part).claim}`] : [])),
  workloads: (config) => [
    { kind: 'Deployment', name: 'monitoring-kube-prometheus-operator' },
    { kind: 'DaemonSet', name: 'monitoring-prometheus-node-exporter' },
    ...partsOf(config).map(({ id }) => placeOf(config, id).workload),
  ],
  values: (config) =>
    partsOf(config).reduce<JsonMap>(
      (sum, part) => merge(sum, part.stack?.(inputOf(config, part)) ?? {}),
      stackValues(config),
    ),
};

function stackValues(config: Config): JsonMap {
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
    // The chart writes this name as part-of; a second such key in commonLabels is invalid YAML.
    nameOverride: OWN_LABEL['app.kubernetes.io/part-of'] as string,
    fullnameOverride: 'monitoring-kube-prometheus',
    crds: { enabled: false },
    defaultRules: {
      create: defaultRules,
      rules: { ...flags(RULES, true), ...flags(CONTROL_PLANE, controlPlane), ...flags(OFF, false) },
    },
    ...scraped,
    // Our node collectors read the kubelets: scraping them twice would double every sum.
    // Also, the operator would leave its Service in kube-system.
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
      // Our rules are tested; without webhooks the operator cannot block rules of others.
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

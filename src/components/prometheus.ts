import type { Json, JsonMap } from '../core/types.ts';
import { COLLECTOR_IDS, type ComponentId, type Config, isEnabled } from '../profile/schema.ts';
import { secondsIn } from '../profile/values.ts';
import { imageOf, placeOf } from '../parts/catalog.ts';
import { listAt, mapAt, set } from '../core/json.ts';
import { camel } from '../parts/prometheus/monitoring.ts';
import { ownIngress, upstreamIngress } from '../parts/ingress.ts';
import { operatorWrites, remoteWrites, writeSecrets } from '../parts/prometheus/remoteWrite.ts';
import { ownSecretFiles, upstreamSecretMounts } from '../parts/secretFiles.ts';
import type { Component, Input } from '../parts/types.ts';
import {
  OWN_LABEL,
  checksumAnnotations,
  imageOneHost,
  imageParts,
  operatorStorage,
  resourcesOf,
} from '../parts/upstream.ts';

/** Scrape jobs, named like their component, to remove with it: their targets would always be down. */
const JOBS: ComponentId[] = ['alertmanager', 'loki', 'tempo', 'grafana', 'kube-state-metrics'];

/** Off by default, because it needs permissions on nodes and adds many series. */
const CADVISOR = 'kubernetes-cadvisor';

export const prometheus: Component = {
  id: 'prometheus',
  phase: 'backends',
  needs: ['rules'],
  rereads: ['rules'],
  configure(template, config) {
    const jobs = listAt(template, 'scrape_configs').filter((job) => {
      const name = (job as { job_name: string }).job_name;
      if (name === CADVISOR) return config.prometheus.cadvisor;
      return JOBS.every((id) => id !== name || isEnabled(config, id));
    });
    const labels = { cluster: config.global.clusterName, environment: config.global.environment };
    const { scrapeInterval } = config.prometheus.server;
    const writes = remoteWrites(config);
    const edits: [string[], Json | undefined][] = [
      [['scrape_configs'], jobs.map((job) => withCollectors(config, job))],
      [['global', 'external_labels'], labels],
      [['global', 'scrape_interval'], scrapeInterval],
      // Prometheus refuses a timeout above the interval.
      ...(secondsIn(scrapeInterval) < 10 ? [[['global', 'scrape_timeout'], scrapeInterval] as [string[], Json]] : []),
      ...(writes.length ? [[['remote_write'], writes] as [string[], Json]] : []),
      ...(config.alertmanager.enabled ? [] : [[['alerting'], undefined] as [string[], undefined]]),
    ];
    return edits.reduce((out, [path, value]) => set(out, path, value), template);
  },
  values: (config) => ({
    ...retentionOf(config),
    ...ownSecretFiles(writeSecrets(config)),
    ...(config.prometheus.cadvisor ? { cadvisor: true } : {}),
    ...ownIngress(config.prometheus.ingress),
  }),
  // The operator writes the configuration; jobs and rules are separate objects (parts/prometheus/monitoring.ts).
  stack: (input) => {
    const { global, otlp } = input.configuration as { global: Record<string, string>; otlp: JsonMap };
    return {
      prometheus: {
        enabled: true,
        serviceMonitor: { selfMonitor: false },
        prometheusSpec: {
          image: imageParts(input.image),
          podMetadata: { labels: OWN_LABEL },
          ...retentionOf(input.config),
          scrapeInterval: global['scrape_interval'] ?? '15s',
          scrapeTimeout: global['scrape_timeout'] ?? '10s',
          evaluationInterval: global['evaluation_interval'] ?? '15s',
          externalLabels: mapAt(input.configuration, 'global', 'external_labels'),
          // One replica: series and alerts carry only the labels of the profile.
          prometheusExternalLabelNameClear: true,
          replicaExternalLabelNameClear: true,
          enableOTLPReceiver: true,
          enableRemoteWriteReceiver: true,
          enableAdminAPI: true,
          enableFeatures: ['exemplar-storage'],
          otlp: Object.fromEntries(Object.entries(otlp).map(([key, value]) => [camel(key), value])),
          tsdb: {
            outOfOrderTimeWindow: mapAt(input.configuration, 'storage', 'tsdb')['out_of_order_time_window'] ?? '30m',
          },
          // All monitors and rules of the cluster, not only those labelled release=monitoring.
          ruleSelectorNilUsesHelmValues: false,
          serviceMonitorSelectorNilUsesHelmValues: false,
          podMonitorSelectorNilUsesHelmValues: false,
          probeSelectorNilUsesHelmValues: false,
          scrapeConfigSelectorNilUsesHelmValues: false,
          ...alertingOf(input.config),
          ...(input.config.prometheus.server.remoteWrite.length ? { remoteWrite: operatorWrites(input.config) } : {}),
          ...operatorStorage(input, 'storageSpec', input.config.prometheus.server.size),
          resources: resourcesOf(input),
          // The operator probes every 15 s, which delays install; the limit for a long replay stays 15 min.
          containers: [{ name: 'prometheus', startupProbe: { periodSeconds: 3, failureThreshold: 300 } }],
        },
      },
    };
  },
  upstream: {
    // A Deployment with our claim.
    prometheus: (input) => ({
      commonMetaLabels: OWN_LABEL,
      server: {
        fullnameOverride: input.place.workload.name,
        image: imageOneHost(input.image),
        ...retentionOf(input.config),
        extraFlags: [
          'web.enable-otlp-receiver',
          'web.enable-remote-write-receiver',
          'web.enable-lifecycle',
          'web.enable-admin-api',
          'enable-feature=exemplar-storage',
        ],
        global: mapAt(input.configuration, 'global'),
        tsdb: mapAt(input.configuration, 'storage', 'tsdb'),
        otlp: mapAt(input.configuration, 'otlp'),
        ...remoteWriteOf(input),
        alertmanagers: listAt(input.configuration, 'alerting', 'alertmanagers'),
        service: { servicePort: input.place.service.port },
        ...upstreamIngress(input.config.prometheus.ingress),
        // The chart's initial delay is 30 s.
        readinessProbeInitialDelay: 2,
        readinessProbePeriodSeconds: 2,
        // The database has a lock: never two pods at the same time.
        strategy: { type: 'Recreate' },
        persistentVolume: { enabled: input.claim !== '', ...(input.claim ? { existingClaim: input.claim } : {}) },
        extraConfigmapMounts: [RULES],
        podAnnotations: checksumAnnotations(input),
        resources: resourcesOf(input),
      },
      configmapReload: {
        prometheus: {
          image: imageOneHost(imageOf(RELOADER, input.config.global.imageRegistry)),
          extraVolumeDirs: [RULES.mountPath],
          extraConfigmapMounts: [RULES],
        },
      },
      serverFiles: {
        'prometheus.yml': {
          rule_files: listAt(input.configuration, 'rule_files'),
          scrape_configs: listAt(input.configuration, 'scrape_configs'),
        },
      },
      scrapeConfigs: Object.fromEntries(CHART_JOBS.map((job) => [job, { enabled: false }])),
      alertmanager: { enabled: false },
      'kube-state-metrics': { enabled: false },
      'prometheus-node-exporter': { enabled: false },
      'prometheus-pushgateway': { enabled: false },
    }),
  },
};

function retentionOf({ prometheus: { server } }: Config): JsonMap {
  return { retention: server.retention, ...(server.retentionSize ? { retentionSize: server.retentionSize } : {}) };
}

function remoteWriteOf({ config, configuration }: Input): JsonMap {
  const remoteWrite = listAt(configuration, 'remote_write');
  return remoteWrite.length ? { remoteWrite, extraSecretMounts: upstreamSecretMounts(writeSecrets(config)) } : {};
}

function alertingOf(config: Config): JsonMap {
  const { service, namespace, chart } = placeOf(config, 'alertmanager');
  if (!config.alertmanager.enabled || chart === 'kube-prometheus-stack') return {};
  return {
    alertingEndpoints: [{ name: service.name, namespace, port: service.portName, scheme: 'http', apiVersion: 'v2' }],
  };
}

const RELOADER = 'quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1';
const RULES = { name: 'rules', configMap: 'prometheus-rules', mountPath: '/etc/prometheus/rules', readOnly: true };

/** Jobs of the chart to disable; ours are in templates/prometheus/config.yaml. */
const CHART_JOBS = [
  'prometheus',
  'kubernetes-api-servers',
  'kubernetes-nodes',
  'kubernetes-nodes-cadvisor',
  'kubernetes-service-endpoints',
  'kubernetes-service-endpoints-slow',
  'prometheus-pushgateway',
  'kubernetes-services',
  'kubernetes-pods',
  'kubernetes-pods-slow',
];

/** Sets namespaces and label selector of the collectors' pods in the job otel-collector. */
function withCollectors(config: Config, job: Json): Json {
  if ((job as { job_name: string }).job_name !== 'otel-collector') return job;
  const places = COLLECTOR_IDS.map((id) => placeOf(config, id));
  const isOperated = places.some((place) => place.chart === 'opentelemetry-operator');
  const isLocal = places.every(
    (place) =>
      place.namespace === config.prometheus.namespace ||
      (!config.prometheus.namespace && place.namespace === config.namespace),
  );
  if (!isOperated && isLocal) return job;
  const [discovery] = listAt(job, 'kubernetes_sd_configs') as JsonMap[];
  const namespaces = { names: [...new Set(places.map((place) => place.namespace))] };
  const label = isOperated
    ? 'app.kubernetes.io/managed-by=opentelemetry-operator'
    : 'app.kubernetes.io/part-of=genai-obs,app.kubernetes.io/component=collector';
  return {
    ...(job as JsonMap),
    kubernetes_sd_configs: [{ ...discovery, namespaces, selectors: [{ role: 'pod', label }] }],
  };
}

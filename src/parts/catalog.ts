import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import { COMPONENT_IDS, type ComponentId, type Config, namespaceOf } from '../profile/schema.ts';

/** Components, and the add-on that can replace Tempo: everything that `placeOf` locates. */
export const PLACED_IDS = [...COMPONENT_IDS, 'jaeger'] as const;
export type PlacedId = (typeof PLACED_IDS)[number];

/** Names, image and ports of a component; read by installer, doctor, backup and docs. */
export interface ComponentFacts {
  title: string;
  /** Upstream reference; `global.imageRegistry` replaces its host. */
  image: string;
  workload: { kind: 'StatefulSet' | 'Deployment' | 'DaemonSet'; name: string };
  service: { name: string; port: number; portName: string };
  /** Path of its Service that returns 200 when the component is ready. */
  readyPath: string;
  /** Claim with its data; belongs to no chart, so that `helm uninstall` keeps it. */
  claim?: { name: string; mountPath: string };
  /** Default: the workload's name and the only file in it. `prefix`: the name continues with a hash. */
  configMap?: { name: string; key: string; prefix?: boolean };
}

export interface Place extends ComponentFacts {
  id: PlacedId;
  namespace: string;
  /** `genai-obs`, or the upstream chart that installs it. */
  chart: string;
}

const COLLECTOR = 'ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.158.0';

export const CATALOG: Record<PlacedId, ComponentFacts> = {
  prometheus: {
    title: 'Prometheus',
    image: 'quay.io/prometheus/prometheus:v3.14.0',
    workload: { kind: 'StatefulSet', name: 'prometheus-server' },
    service: { name: 'prometheus-server', port: 80, portName: 'http' },
    readyPath: '/-/ready',
    claim: { name: 'prometheus-data', mountPath: '/prometheus' },
  },
  alertmanager: {
    title: 'Alertmanager',
    image: 'quay.io/prometheus/alertmanager:v0.34.0',
    workload: { kind: 'StatefulSet', name: 'alertmanager' },
    service: { name: 'alertmanager', port: 9093, portName: 'http' },
    readyPath: '/-/ready',
    claim: { name: 'alertmanager-data', mountPath: '/alertmanager' },
  },
  loki: {
    title: 'Loki',
    image: 'docker.io/grafana/loki:3.7.6',
    workload: { kind: 'StatefulSet', name: 'loki' },
    service: { name: 'loki', port: 3100, portName: 'http' },
    readyPath: '/ready',
    claim: { name: 'loki-data', mountPath: '/loki' },
  },
  tempo: {
    title: 'Tempo',
    image: 'docker.io/grafana/tempo:2.10.8',
    workload: { kind: 'StatefulSet', name: 'tempo' },
    service: { name: 'tempo', port: 3200, portName: 'http' },
    readyPath: '/ready',
    claim: { name: 'tempo-data', mountPath: '/var/tempo' },
  },
  'kube-state-metrics': {
    title: 'kube-state-metrics',
    image: 'registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0',
    workload: { kind: 'Deployment', name: 'kube-state-metrics' },
    service: { name: 'kube-state-metrics', port: 8080, portName: 'http' },
    readyPath: '/healthz',
  },
  grafana: {
    title: 'Grafana',
    image: 'docker.io/grafana/grafana:13.2.0',
    workload: { kind: 'StatefulSet', name: 'grafana' },
    service: { name: 'grafana', port: 80, portName: 'http' },
    readyPath: '/api/health',
    claim: { name: 'grafana-data', mountPath: '/var/lib/grafana' },
  },
  'opentelemetry-collector': {
    title: 'gateway collector',
    image: COLLECTOR,
    workload: { kind: 'Deployment', name: 'opentelemetry-collector' },
    service: { name: 'opentelemetry-collector', port: 4318, portName: 'otlp-http' },
    readyPath: '/',
  },
  'opentelemetry-node-collector': {
    title: 'node collectors',
    image: COLLECTOR,
    workload: { kind: 'DaemonSet', name: 'opentelemetry-node-collector' },
    service: { name: 'opentelemetry-node-collector', port: 8888, portName: 'metrics' },
    readyPath: '/',
  },
  'opentelemetry-cluster-collector': {
    title: 'cluster collector',
    image: COLLECTOR,
    workload: { kind: 'Deployment', name: 'opentelemetry-cluster-collector' },
    service: { name: 'opentelemetry-cluster-collector', port: 8888, portName: 'metrics' },
    readyPath: '/',
  },
  // The chart runs Jaeger in one Deployment and does not prefix the ConfigMap's name with the release.
  jaeger: {
    title: 'Jaeger',
    image: 'docker.io/jaegertracing/jaeger:2.19.0',
    workload: { kind: 'Deployment', name: 'jaeger' },
    service: { name: 'jaeger', port: 16686, portName: 'http-query' },
    readyPath: '/api/services',
    configMap: { name: 'user-config', key: 'user-config.yaml' },
  },
};

type Differences = Partial<Omit<ComponentFacts, 'title'>>;

/** Names that upstream charts give to the objects; test/unit/contracts.test.ts compares them with the charts. */
const UPSTREAM: Partial<Record<PlacedId, Record<string, Differences>>> = {
  prometheus: {
    prometheus: {
      workload: { kind: 'Deployment', name: 'prometheus' },
      service: { name: 'prometheus', port: 9090, portName: 'http' },
      claim: { name: 'prometheus-data', mountPath: '/data' },
      configMap: { name: 'prometheus', key: 'prometheus.yml' },
    },
    'kube-prometheus-stack': {
      image: 'quay.io/prometheus/prometheus:v3.14.0-distroless',
      workload: { kind: 'StatefulSet', name: 'prometheus-monitoring-kube-prometheus-prometheus' },
      service: { name: 'monitoring-kube-prometheus-prometheus', port: 9090, portName: 'http-web' },
      claim: {
        name: operatorClaim('prometheus-monitoring-kube-prometheus-prometheus'),
        mountPath: '/prometheus',
      },
    },
  },
  alertmanager: {
    alertmanager: {
      service: { name: 'alertmanager', port: 9093, portName: 'http' },
      claim: { name: 'storage-alertmanager-0', mountPath: '/alertmanager' },
      configMap: { name: 'alertmanager', key: 'alertmanager.yml' },
    },
    'kube-prometheus-stack': {
      workload: { kind: 'StatefulSet', name: 'alertmanager-monitoring-kube-prometheus-alertmanager' },
      service: { name: 'monitoring-kube-prometheus-alertmanager', port: 9093, portName: 'http-web' },
      claim: {
        name: operatorClaim('alertmanager-monitoring-kube-prometheus-alertmanager'),
        mountPath: '/alertmanager',
      },
    },
  },
  loki: {
    loki: {
      service: { name: 'loki', port: 3100, portName: 'http-metrics' },
      configMap: { name: 'loki', key: 'config.yaml' },
    },
  },
  tempo: {
    tempo: {
      service: { name: 'tempo', port: 3200, portName: 'tempo-prom-metrics' },
      configMap: { name: 'tempo', key: 'tempo.yaml' },
    },
  },
  grafana: {
    grafana: {
      workload: { kind: 'Deployment', name: 'grafana' },
      service: { name: 'grafana', port: 80, portName: 'service' },
      configMap: { name: 'grafana', key: 'grafana.ini' },
    },
  },
  'kube-state-metrics': {
    'kube-state-metrics': {},
    'kube-prometheus-stack': {
      workload: { kind: 'Deployment', name: 'monitoring-kube-state-metrics' },
      service: { name: 'monitoring-kube-state-metrics', port: 8080, portName: 'http' },
    },
  },
  // Custom resources otel-gateway, otel-node and otel-cluster; the operator adds `-collector`.
  'opentelemetry-collector': {
    'opentelemetry-operator': fromResource('Deployment', 'otel-gateway', { port: 4318, portName: 'otlp-http' }),
  },
  'opentelemetry-node-collector': {
    'opentelemetry-operator': fromResource('DaemonSet', 'otel-node', { port: 8888, portName: 'metrics' }),
  },
  'opentelemetry-cluster-collector': {
    'opentelemetry-operator': fromResource('Deployment', 'otel-cluster', { port: 8888, portName: 'metrics' }),
  },
};

/** Claim that a StatefulSet of the Prometheus operator mounts. */
function operatorClaim(statefulSet: string): string {
  return `${statefulSet}-db-${statefulSet}-0`;
}

function fromResource(
  kind: 'Deployment' | 'DaemonSet',
  name: string,
  port: { port: number; portName: string },
): Differences {
  const object = `${name}-collector`;
  return {
    workload: { kind, name: object },
    service: { name: object, ...port },
    configMap: { name: object, key: 'collector.yaml', prefix: true },
  };
}

/** Namespace, chart and object names of a component in this configuration. */
export function placeOf(config: Config, id: PlacedId): Place {
  const chart = id === 'jaeger' ? 'jaeger' : config[id].chart;
  return {
    ...CATALOG[id],
    ...(chart === 'genai-obs' ? {} : UPSTREAM[id]?.[chart]),
    id,
    chart,
    namespace: namespaceOf(config, id),
  };
}

export const SEAWEEDFS_CLAIM = 'seaweedfs-data';

export function claimNames(): Set<string> {
  const all = Object.values(UPSTREAM).flatMap((charts) => Object.values(charts));
  return new Set([
    SEAWEEDFS_CLAIM,
    ...[...Object.values(CATALOG), ...all].flatMap(({ claim }) => (claim ? [claim.name] : [])),
  ]);
}

/** ServiceAccount of a component: every chart and operator names it like the Service. */
export const accountOf = (config: Config, id: ComponentId): string => placeOf(config, id).service.name;

/** Charts whose release has another name than the chart. */
const RELEASES: Record<string, string> = { 'kube-prometheus-stack': 'monitoring' };

export interface Release {
  name: string;
  namespace: string;
}

/** Helm release that installs a component; undefined if an operator creates it from a custom resource. */
export function releaseOf(config: Config, id: ComponentId): Release | undefined {
  const { chart, namespace } = placeOf(config, id);
  if (chart === 'opentelemetry-operator') return undefined;
  const home = chart === 'kube-prometheus-stack' ? config[chart].namespace || namespace : namespace;
  return { name: chart === 'genai-obs' ? id : (RELEASES[chart] ?? chart), namespace: home };
}

/** Host name of a Service for pods in the namespace `from`: short in the same namespace. */
export const hostOf = ({ service, namespace }: Place, from: string): string =>
  namespace === from ? service.name : `${service.name}.${namespace}.svc`;

/** Labels that the chart or operator will give to a component's pods. */
export function podLabelsOf({ id, chart, namespace, workload, service }: Place): Record<string, string> {
  const labels = (name: string, instance: string) => ({
    'app.kubernetes.io/name': name,
    'app.kubernetes.io/instance': instance,
  });
  if (chart === 'genai-obs') return { ...labels(id, id), [PART_OF_LABEL]: PART_OF };
  if (chart === 'opentelemetry-operator')
    return labels(workload.name, `${namespace}.${workload.name.replace(/-collector$/, '')}`);
  if (chart === 'kube-prometheus-stack') return labels(id, id === 'kube-state-metrics' ? 'monitoring' : service.name);
  return labels(id, id);
}

/** Applies `global.imageRegistry`: replaces the host and keeps the path, so that one mirror serves all images. */
export function imageOf(reference: string, registry: string): string {
  if (!registry) return reference;
  const slash = reference.indexOf('/');
  const host = slash > 0 ? reference.slice(0, slash) : '';
  const hasHost = host.includes('.') || host.includes(':') || host === 'localhost';
  return `${registry}/${hasHost ? reference.slice(slash + 1) : reference}`;
}

import { parse } from 'yaml';
import { readAsset } from '../../core/assets.ts';
import { ownLabels } from '../../core/labels.ts';
import type { Json, JsonMap, KubeObject } from '../../core/types.ts';
import { at, mapAt, set } from '../../core/json.ts';
import type { Input } from '../types.ts';
import { CONTAINER_SECURITY, resourcesOf } from '../upstream.ts';

/** securityContext of collectors that do not run as root. */
export const UNPRIVILEGED: JsonMap = { runAsNonRoot: true, runAsUser: 10001, ...CONTAINER_SECURITY };

/** Custom resource with RBAC and NetworkPolicy; the operator adds `-collector` to the names of its objects. */
export function collectorResources(input: Input, spec: JsonMap, extraEnv: Json[] = []): KubeObject[] {
  const { place, config } = input;
  const resource = place.workload.name.replace(/-collector$/, '');
  // The operator copies these labels to everything that it creates.
  const meta = (name: string): KubeObject['metadata'] => ({
    name,
    namespace: place.namespace,
    labels: ownLabels(place.workload.name),
  });
  // Differs from our own chart's name: when charts are switched, helm would refuse or delete an object of that name.
  const role = `${config.namespace}-${place.workload.name}`;
  const clusterMeta = { name: role, labels: ownLabels(place.id) };
  const rules = parse(readAsset('templates', place.id, 'rbac.yaml')) as Json;
  const collector: KubeObject = {
    apiVersion: 'opentelemetry.io/v1beta1',
    kind: 'OpenTelemetryCollector',
    metadata: meta(resource),
    spec: {
      image: input.image,
      managementState: 'managed',
      upgradeStrategy: 'none',
      config: input.configuration,
      // Overrides the operator's annotation: the job otel-collector already scrapes these pods.
      podAnnotations: { 'prometheus.io/scrape': 'false' },
      env: [...environment(config.global), ...extraEnv],
      resources: resourcesOf(input),
      // For Prometheus and the doctor; the operator adds the ports of receivers.
      ports: [
        { name: 'metrics', port: 8888, targetPort: 8888, protocol: 'TCP' },
        { name: 'health', port: 13133, targetPort: 13133, protocol: 'TCP' },
      ],
      // Every second; with the defaults a collector counts as started only after 10 s.
      startupProbe: { periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 120 },
      readinessProbe: { periodSeconds: 2, timeoutSeconds: 3 },
      livenessProbe: { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      // Replaced by networkPolicy(): the operator's own allows only the ports that it derives from the configuration.
      networkPolicy: { enabled: false },
      ...spec,
    },
  };
  return [
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: clusterMeta, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: clusterMeta,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'ServiceAccount', name: place.workload.name, namespace: place.namespace }],
    },
    networkPolicy(input, meta(place.workload.name)),
    collector,
  ];
}

/** Allows ingress to OTLP, metrics and health; egress is not restricted. */
function networkPolicy({ place, configuration }: Input, metadata: KubeObject['metadata']): KubeObject {
  const otlp = Object.entries(mapAt(configuration, 'receivers')).flatMap(([name, receiver]) =>
    /^otlp(\/|$)/.test(name) ? portsOf(receiver) : [],
  );
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata,
    spec: {
      podSelector: {
        matchLabels: {
          'app.kubernetes.io/name': place.workload.name,
          'app.kubernetes.io/managed-by': 'opentelemetry-operator',
        },
      },
      policyTypes: ['Ingress'],
      ingress: [{ ports: [...otlp, 8888, 13133].map((port) => ({ port, protocol: 'TCP' })) }],
    },
  };
}

/** Ports of an OTLP receiver, except those on localhost. */
function portsOf(receiver: Json): number[] {
  const endpoints = Object.values(mapAt(receiver, 'protocols')).map((protocol) => at(protocol, 'endpoint') as string);
  return endpoints
    .filter((endpoint) => !endpoint.startsWith('127.'))
    .map((endpoint) => Number(endpoint.split(':').at(-1)));
}

function environment({ clusterName, environment: name }: Input['config']['global']): Json[] {
  const field = (path: string): Json => ({ fieldRef: { fieldPath: path } });
  return [
    { name: 'CLUSTER_NAME', value: clusterName },
    { name: 'ENVIRONMENT', value: name },
    { name: 'NAMESPACE', valueFrom: field('metadata.namespace') },
    { name: 'K8S_NODE_NAME', valueFrom: field('spec.nodeName') },
    { name: 'K8S_NODE_IP', valueFrom: field('status.hostIP') },
  ];
}

/** Excludes the logs of collectors from file_log, which would loop. */
export const excludingOwnLogs = (configuration: JsonMap): JsonMap =>
  set(configuration, ['receivers', 'file_log', 'exclude'], ['/var/log/pods/${env:NAMESPACE}_otel-*/*/*.log']);

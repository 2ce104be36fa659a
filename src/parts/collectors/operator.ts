import { parse } from 'yaml';
import { readAsset } from '../../core/assets.ts';
import { ownLabels } from '../../core/labels.ts';
import type { Json, JsonMap, KubeObject } from '../../core/types.ts';
import { at, mapAt, set } from '../../core/json.ts';
import type { Input } from '../types.ts';
import { resourcesOf } from '../upstream.ts';

/**
 * A collector as a resource of the OpenTelemetry operator, with the rights and the network policy that it needs.
 * The operator adds `-collector` to the name of everything that it makes (upstream.md A.2; rows 004-COL-*).
 */
export function collectorResources(input: Input, spec: JsonMap, extraEnv: Json[] = []): KubeObject[] {
  const { place, config } = input;
  const resource = place.workload.name.replace(/-collector$/, '');
  // The operator copies these to everything that it makes: seed 004 knows the pods by this name.
  const meta = (name: string): KubeObject['metadata'] => ({
    name,
    namespace: place.namespace,
    labels: ownLabels(place.workload.name),
  });
  // Not the name of our own chart's: changing from one to the other, helm would refuse it, or remove it with its release.
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
      // Two replicas agree on nothing: no leader, no shared state.
      upgradeStrategy: 'none',
      config: input.configuration,
      // The operator asks for a scrape of its own: the job otel-collector has them all, and a second one counts double.
      podAnnotations: { 'prometheus.io/scrape': 'false' },
      env: [...environment(config.global), ...extraEnv],
      resources: resourcesOf(input),
      // Beside the ports that the operator finds in the configuration: what the doctor and Prometheus ask.
      ports: [
        { name: 'metrics', port: 8888, targetPort: 8888, protocol: 'TCP' },
        { name: 'health', port: 13133, targetPort: 13133, protocol: 'TCP' },
      ],
      // Asked every second until it runs: with the defaults a collector counts as started after ten.
      startupProbe: { periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 120 },
      readinessProbe: { periodSeconds: 2, timeoutSeconds: 3 },
      livenessProbe: { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      // Ours below: the operator's own lets in only what it derives from the configuration.
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

/** In: OTLP where it is received, metrics and health. Out: everything, its targets are many. */
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

/** On which an OTLP receiver listens for others. */
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

/** The node collectors' own logs must not come back to them, whatever made the pods. */
export function excludingOwnLogs(configuration: JsonMap): JsonMap {
  return set(configuration, ['receivers', 'file_log', 'exclude'], ['/var/log/pods/${env:NAMESPACE}_otel-*/*/*.log']);
}

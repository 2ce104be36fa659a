import type { JsonMap } from '../core/types.ts';
import { type Config, namespaceOf } from '../profile/schema.ts';
import { jaegerHost, traceStore } from '../parts/addresses.ts';
import { podLabelsOf } from '../parts/catalog.ts';
import { collectorEnv, renamedExporter, withoutExporter } from '../parts/collectors/pipelines.ts';
import { mapAt } from '../core/json.ts';
import { withBatches } from '../parts/collectors/batch.ts';
import { platformEnv, withPlatforms } from '../parts/collectors/platforms.ts';
import { withGenops } from '../parts/collectors/genops.ts';
import { PEER_PORT, withSampling } from '../parts/collectors/sampling.ts';
import { ownIngress } from '../parts/ingress.ts';
import { ingestService, protectedEntry, protectedValues, secretVolumes } from '../parts/collectors/mtls.ts';
import { UNPRIVILEGED, collectorResources } from '../parts/collectors/operator.ts';
import type { Component, Input } from '../parts/types.ts';

/** The gateway: receives OTLP, enriches, derives span metrics before sampling, exports to the backends. */
export const gatewayCollector: Component = {
  id: 'opentelemetry-collector',
  phase: 'collectors',
  needs: ['certificates'],
  configure: (template, config) => protectedEntry(withBackends(template, config), config),
  values(config) {
    const { replicaCount, autoscaling, spread, ingress } = config['opentelemetry-collector'];
    const env = platformEnv(config);
    return {
      replicas: replicaCount,
      ...protectedValues(config, 'opentelemetry-collector'),
      ...collectorEnv(config),
      ...(env.length ? { extraEnv: env } : {}),
      ...(config.genai.sampling.mode === 'tail' ? { peerPort: PEER_PORT } : {}),
      ...tailResources(config),
      ...(autoscaling.enabled ? { autoscaling } : {}),
      ...(spread === 'DoNotSchedule' ? { spread } : {}),
      ...ownIngress(ingress),
    };
  },
  resources: (input) => [
    ...collectorResources(
      input,
      {
        mode: 'deployment',
        replicas: input.config['opentelemetry-collector'].replicaCount,
        ...autoscaler(input.config),
        topologySpreadConstraints: spreadOf(input),
        securityContext: UNPRIVILEGED,
        // Must exceed the flush interval of the span metrics.
        terminationGracePeriodSeconds: 20,
        ...tailResources(input.config),
        ...secretVolumes(input.config, 'opentelemetry-collector'),
      },
      platformEnv(input.config),
    ),
    ...ingestService(input.config, podLabelsOf(input.place)),
  ],
};

/** Applies the gateway's features, and removes exporters of disabled backends with what leads only to them. */
function withBackends(template: JsonMap, config: Config): JsonMap {
  let out = withBatches(withGenops(withSampling(withPlatforms(template, config), config), config), config);
  if (!config.prometheus.enabled) out = withoutExporter(out, 'otlp_http/prometheus');
  if (!config.loki.enabled) out = withoutExporter(out, 'otlp_http/loki');
  const store = traceStore(config);
  const endpoint = `${jaegerHost(config, namespaceOf(config, 'opentelemetry-collector'))}:4317`;
  if (store === 'jaeger') return renamedExporter(out, 'otlp_grpc/tempo', 'otlp_grpc/jaeger', { endpoint });
  if (store) return out;
  out = withoutExporter(out, 'otlp_grpc/tempo');
  // Without a pipeline for traces, replicas need not exchange spans.
  return 'traces' in mapAt(out, 'service', 'pipelines') ? out : withoutExporter(out, 'loadbalancing');
}

/** Tail sampling holds traces in memory; every size of templates/sizes.yaml has enough for that. */
function tailResources({ genai, size }: Config): JsonMap {
  if (genai.sampling.mode !== 'tail' || size) return {};
  return { resources: { requests: { cpu: '50m', memory: '192Mi' }, limits: { cpu: '1', memory: '512Mi' } } };
}

function spreadOf({ config, place }: Input): JsonMap[] {
  const whenUnsatisfiable = config['opentelemetry-collector'].spread;
  const labelSelector = { matchLabels: podLabelsOf(place) };
  return ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector,
  }));
}

function autoscaler(config: Config): JsonMap {
  const { enabled, minReplicas, maxReplicas, cpuPercent, memoryPercent } =
    config['opentelemetry-collector'].autoscaling;
  return enabled
    ? {
        autoscaler: {
          minReplicas,
          maxReplicas,
          targetCPUUtilization: cpuPercent,
          targetMemoryUtilization: memoryPercent,
        },
      }
    : {};
}

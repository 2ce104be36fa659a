import { namespaceOf } from '../profile/schema.ts';
import { jaegerHost, traceStore } from './addons/jaeger.ts';
import { collectorEnv, renamedExporter, withoutExporter } from './collector.ts';
import { mapAt } from './edit.ts';
import { platformEnv, withPlatforms } from './gateway/exporters.ts';
import { withGenops } from './gateway/genops.ts';
import { PEER_PORT, sampled } from './gateway/sampling.ts';
import { collectorResources } from './operator.ts';
import type { Component } from './types.ts';

/** The gateway: OTLP entry, enrichment, span metrics before sampling, export to the backends (000-COMP-01). */
export const gatewayCollector: Component = {
  id: 'opentelemetry-collector',
  phase: 'collectors',
  needs: [],
  configure(base, config) {
    let out = withGenops(sampled(withPlatforms(base, config), config), config);
    if (!config.prometheus.enabled) out = withoutExporter(out, 'otlp_http/prometheus');
    if (!config.loki.enabled) out = withoutExporter(out, 'otlp_http/loki');
    const store = traceStore(config);
    const endpoint = `${jaegerHost(config, namespaceOf(config, 'opentelemetry-collector'))}:4317`;
    if (store === 'jaeger') return renamedExporter(out, 'otlp_grpc/tempo', 'otlp_grpc/jaeger', { endpoint });
    if (store) return out;
    out = withoutExporter(out, 'otlp_grpc/tempo');
    // Nobody wants traces: then nobody needs to meet to decide on them.
    return 'traces' in mapAt(out, 'service', 'pipelines') ? out : withoutExporter(out, 'loadbalancing');
  },
  values(config) {
    const env = platformEnv(config);
    return {
      replicas: config['opentelemetry-collector'].replicaCount,
      ...collectorEnv(config),
      ...(env.length ? { extraEnv: env } : {}),
      // Whole traces wait in memory for their decision.
      ...(config.genai.sampling.mode === 'tail' ? { peerPort: PEER_PORT, resources: TAIL_RESOURCES } : {}),
    };
  },
  resources: (input) =>
    collectorResources(
      input,
      {
        mode: 'deployment',
        replicas: input.config['opentelemetry-collector'].replicaCount,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 10001,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        },
        // Longer than the flush interval of the span metrics.
        terminationGracePeriodSeconds: 20,
        ...(input.config.genai.sampling.mode === 'tail' ? { resources: TAIL_RESOURCES } : {}),
      },
      platformEnv(input.config),
    ),
};

const TAIL_RESOURCES = { requests: { cpu: '50m', memory: '192Mi' }, limits: { cpu: '1', memory: '512Mi' } };

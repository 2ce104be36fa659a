import { namespaceOf } from '../profile/schema.ts';
import { jaegerHost, traceStore } from './addons/jaeger.ts';
import { collectorEnv, renamedExporter, withoutExporter } from './collector.ts';
import { set } from './edit.ts';
import { collectorResources } from './operator.ts';
import type { Component } from './types.ts';

/** The gateway: OTLP entry, enrichment, span metrics before sampling, export to the backends (000-COMP-01). */
export const gatewayCollector: Component = {
  id: 'opentelemetry-collector',
  phase: 'collectors',
  needs: [],
  configure(base, config) {
    // 000-VAL-07: the share as the processor wants it, in percent.
    let out = set(base, ['processors', 'probabilistic_sampler', 'sampling_percentage'], Number((config.genai.sampling.rate * 100).toPrecision(12)));
    if (!config.prometheus.enabled) out = withoutExporter(out, 'otlp_http/prometheus');
    if (!config.loki.enabled) out = withoutExporter(out, 'otlp_http/loki');
    const store = traceStore(config);
    if (store === 'jaeger')
      out = renamedExporter(out, 'otlp_grpc/tempo', 'otlp_grpc/jaeger', {
        endpoint: `${jaegerHost(config, namespaceOf(config, 'opentelemetry-collector'))}:4317`,
      });
    if (!store) out = withoutExporter(out, 'otlp_grpc/tempo');
    return out;
  },
  values: (config) => ({ replicas: config['opentelemetry-collector'].replicaCount, ...collectorEnv(config) }),
  resources: (input) =>
    collectorResources(input, {
      mode: 'deployment',
      replicas: input.config['opentelemetry-collector'].replicaCount,
      securityContext: { runAsNonRoot: true, runAsUser: 10001, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      // Longer than the flush interval of the span metrics.
      terminationGracePeriodSeconds: 20,
    }),
};

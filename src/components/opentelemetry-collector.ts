import { collectorEnv, withoutExporter } from './collector.ts';
import { set } from './edit.ts';
import { ingestService, protectedEntry, protectedValues, secretVolumes } from './mtls.ts';
import { collectorResources } from './operator.ts';
import type { Component } from './types.ts';

/** The gateway: OTLP entry, enrichment, span metrics before sampling, export to the backends (000-COMP-01). */
export const gatewayCollector: Component = {
  id: 'opentelemetry-collector',
  phase: 'collectors',
  needs: ['certificates'],
  configure(base, config) {
    // 000-VAL-07: the share as the processor wants it, in percent.
    let out = set(base, ['processors', 'probabilistic_sampler', 'sampling_percentage'], Number((config.genai.sampling.rate * 100).toPrecision(12)));
    if (!config.prometheus.enabled) out = withoutExporter(out, 'otlp_http/prometheus');
    if (!config.loki.enabled) out = withoutExporter(out, 'otlp_http/loki');
    if (!config.tempo.enabled) out = withoutExporter(out, 'otlp_grpc/tempo');
    return protectedEntry(out, config);
  },
  values: (config) => ({
    replicas: config['opentelemetry-collector'].replicaCount,
    ...protectedValues(config, 'opentelemetry-collector'),
    ...collectorEnv(config),
  }),
  resources: (input) => [
    ...collectorResources(input, {
      mode: 'deployment',
      replicas: input.config['opentelemetry-collector'].replicaCount,
      securityContext: { runAsNonRoot: true, runAsUser: 10001, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      // Longer than the flush interval of the span metrics.
      terminationGracePeriodSeconds: 20,
      ...secretVolumes(input.config, 'opentelemetry-collector'),
    }),
    ...ingestService(input.config, { 'app.kubernetes.io/name': input.place.workload.name, 'app.kubernetes.io/managed-by': 'opentelemetry-operator' }),
  ],
};

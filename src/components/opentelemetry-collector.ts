import { collectorEnv, withoutExporter } from './collector.ts';
import { set } from './edit.ts';
import { ownIngress } from './ingress.ts';
import { collectorResources } from './operator.ts';
import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
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
    if (!config.tempo.enabled) out = withoutExporter(out, 'otlp_grpc/tempo');
    return out;
  },
  values(config) {
    const { replicaCount, autoscaling, spread, ingress } = config['opentelemetry-collector'];
    return {
      replicas: replicaCount,
      ...collectorEnv(config),
      ...(autoscaling.enabled ? { autoscaling } : {}),
      ...(spread === 'DoNotSchedule' ? { spread } : {}),
      ...ownIngress(ingress),
    };
  },
  resources: (input) =>
    collectorResources(input, {
      mode: 'deployment',
      replicas: input.config['opentelemetry-collector'].replicaCount,
      ...autoscaler(input.config),
      securityContext: { runAsNonRoot: true, runAsUser: 10001, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      // Longer than the flush interval of the span metrics.
      terminationGracePeriodSeconds: 20,
    }),
};

function autoscaler(config: Config): JsonMap {
  const { enabled, minReplicas, maxReplicas, cpuPercent, memoryPercent } = config['opentelemetry-collector'].autoscaling;
  return enabled ? { autoscaler: { minReplicas, maxReplicas, targetCPUUtilization: cpuPercent, targetMemoryUtilization: memoryPercent } } : {};
}

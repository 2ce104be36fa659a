import { traceStore } from '../../parts/addresses.ts';
import { type PlacedId, placeOf } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';

/** What a broken hop most likely means, and the command that shows it. `kubectl` gives the prefix for a component's namespace. */
export function hopCauses(
  config: Config,
  kubectl: (id: PlacedId) => string,
): Record<string, { path: string; cause: string; fix: string }> {
  const { workload, service } = placeOf(config, 'opentelemetry-collector');
  const gateway = kubectl('opentelemetry-collector');
  const logs = `${gateway} logs ${workload.kind.toLowerCase()}/${workload.name}`;
  const datasources = `${kubectl('grafana')} get configmap grafana-datasources -o yaml`;
  return {
    'send-trace': {
      path: 'doctor → gateway (traces)',
      cause: 'the gateway does not accept OTLP/HTTP on 4318: no ready pod, or its receiver is off',
      fix: `${gateway} get pods,endpointslices -l app.kubernetes.io/name=${service.name}`,
    },
    'send-metric': {
      path: 'doctor → gateway (metrics)',
      cause: 'the gateway does not accept OTLP/HTTP on 4318: no ready pod, or it has no metrics pipeline',
      fix: `${logs} --tail=50`,
    },
    'send-log': {
      path: 'doctor → gateway (logs)',
      cause: 'the gateway does not accept OTLP/HTTP on 4318: no ready pod, or it has no logs pipeline',
      fix: `${logs} --tail=50`,
    },
    tempo: {
      path: 'gateway → Tempo',
      cause:
        'the gateway took the trace but Tempo does not have it: the exporter fails, or the sampler drops traces that ask to be kept',
      fix: `${logs} --tail=200 | grep -i tempo`,
    },
    jaeger: {
      path: 'gateway → Jaeger',
      cause:
        'the gateway took the trace but Jaeger does not have it: the exporter fails, or the sampler drops traces that ask to be kept',
      fix: `${logs} --tail=200 | grep -i jaeger`,
    },
    prometheus: {
      path: 'gateway → Prometheus',
      cause:
        'the gateway took the metric but Prometheus does not have it: the exporter fails, or Prometheus does not receive OTLP',
      fix: `${logs} --tail=200 | grep -i prometheus`,
    },
    loki: {
      path: 'gateway → Loki',
      cause: 'the gateway took the log but Loki does not have it: the exporter fails, or Loki rejects the line',
      fix: `${logs} --tail=200 | grep -i loki`,
    },
    'grafana-tempo': {
      path: 'Tempo → Grafana',
      cause: 'Tempo has the trace but Grafana does not get it: wrong URL or uid of the datasource tempo',
      fix: datasources,
    },
    'grafana-jaeger': {
      path: 'Jaeger → Grafana',
      cause: 'Jaeger has the trace but Grafana does not get it: wrong URL or uid of the datasource jaeger',
      fix: datasources,
    },
    'grafana-prometheus': {
      path: 'Prometheus → Grafana',
      cause: 'Prometheus has the metric but Grafana does not get it: wrong URL or uid of the datasource prometheus',
      fix: datasources,
    },
    'grafana-loki': {
      path: 'Loki → Grafana',
      cause: 'Loki has the log but Grafana does not get it: wrong URL or uid of the datasource loki',
      fix: datasources,
    },
    'log-to-trace': {
      path: 'log line → trace',
      cause: 'the derived fields of the datasource loki do not lead from the log line to its trace',
      fix: 'genai-obs install --only datasources',
    },
    'trace-to-log': {
      path: 'trace → log line',
      cause: `the tracesToLogs link of the datasource ${traceStore(config) ?? 'tempo'} does not find the log line`,
      fix: 'genai-obs install --only datasources',
    },
  };
}

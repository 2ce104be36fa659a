import { traceStore } from '../../parts/addresses.ts';
import { type PlacedId, placeOf } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';

interface HopCause {
  /** For people: `gateway → Tempo`. */
  path: string;
  cause: string;
  fix: string;
}

/** The likely cause of each broken hop and the command that shows it. `kubectl`: prefix for a component's namespace. */
export function hopCauses(config: Config, kubectl: (id: PlacedId) => string): Record<string, HopCause> {
  const { workload, service } = placeOf(config, 'opentelemetry-collector');
  const gateway = kubectl('opentelemetry-collector');
  const logs = `${gateway} logs ${workload.kind.toLowerCase()}/${workload.name}`;
  const refused = 'the gateway does not accept OTLP/HTTP on port 4318: no pod is ready, or';
  const install = 'genai-obs install --only datasources';
  const stores: [id: string, title: string, signal: string, cause: string][] = [
    ['tempo', 'Tempo', 'trace', 'the sampler drops traces with sampling.priority=1'],
    ['jaeger', 'Jaeger', 'trace', 'the sampler drops traces with sampling.priority=1'],
    ['prometheus', 'Prometheus', 'metric', 'the OTLP receiver of Prometheus is off'],
    ['loki', 'Loki', 'log', 'Loki rejects the line'],
  ];
  return {
    'send-trace': {
      path: 'doctor → gateway (traces)',
      cause: `${refused} the receiver is off`,
      fix: `${gateway} get pods,endpointslices -l app.kubernetes.io/name=${service.name}`,
    },
    'send-metric': {
      path: 'doctor → gateway (metrics)',
      cause: `${refused} there is no metrics pipeline`,
      fix: `${logs} --tail=50`,
    },
    'send-log': {
      path: 'doctor → gateway (logs)',
      cause: `${refused} there is no logs pipeline`,
      fix: `${logs} --tail=50`,
    },
    ...Object.fromEntries(
      stores.flatMap(([id, title, signal, cause]): [string, HopCause][] => [
        [
          id,
          {
            path: `gateway → ${title}`,
            cause: `the gateway accepted the ${signal}, but ${title} does not have it: the exporter fails, or ${cause}`,
            fix: `${logs} --tail=200 | grep -i ${id}`,
          },
        ],
        [
          `grafana-${id}`,
          {
            path: `${title} → Grafana`,
            cause: `${title} has the ${signal}, but Grafana cannot read it: wrong URL or uid of the datasource ${id}`,
            fix: `${kubectl('grafana')} get configmap grafana-datasources -o yaml`,
          },
        ],
      ]),
    ),
    'log-to-trace': {
      path: 'log line → trace',
      cause: 'the derived fields of the datasource loki do not link the log line to its trace',
      fix: install,
    },
    'trace-to-log': {
      path: 'trace → log line',
      cause: `the tracesToLogs link of the datasource ${traceStore(config) ?? 'tempo'} does not find the log line`,
      fix: install,
    },
  };
}

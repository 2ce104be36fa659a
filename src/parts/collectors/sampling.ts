import type { JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { placeOf } from '../catalog.ts';
import { listAt, set } from '../../core/json.ts';

/** Port on which replicas of the gateway exchange spans of a trace. */
export const PEER_PORT = 14317;
const RECEIVER = 'otlp/sampling';

/** Sets the share of traces to store: decided per trace ID (head), or per complete trace (tail). */
export function withSampling(gateway: JsonMap, config: Config): JsonMap {
  const { mode, rate } = config.genai.sampling;
  // Rounded, because 0.07 * 100 is 7.000000000000001.
  const percentage = Number((rate * 100).toPrecision(12));
  if (mode === 'head') return set(gateway, ['processors', 'probabilistic_sampler', 'sampling_percentage'], percentage);
  return withTailSampling(gateway, config, percentage);
}

/** Routes spans by trace ID: tail sampling needs the whole trace in one replica. Span metrics count all spans. */
function withTailSampling(gateway: JsonMap, config: Config, percentage: number): JsonMap {
  const peers = `${placeOf(config, 'opentelemetry-collector').service.name}-headless`;
  const entry = listAt(gateway, 'service', 'pipelines', 'traces/in', 'exporters').map((name) =>
    name === 'routing/sampling' ? 'loadbalancing' : name,
  );
  const decided = listAt(gateway, 'service', 'pipelines', 'traces', 'processors').map((name) =>
    name === 'probabilistic_sampler' ? 'tail_sampling' : name,
  );
  const edits: [string[], JsonMap[string] | undefined][] = [
    [['connectors', 'routing/sampling'], undefined],
    [['processors', 'probabilistic_sampler'], undefined],
    [
      ['receivers', RECEIVER],
      { protocols: { grpc: { endpoint: `0.0.0.0:${PEER_PORT}`, max_recv_msg_size_mib: 100 } } },
    ],
    [
      ['exporters', 'loadbalancing'],
      {
        routing_key: 'traceID',
        resolver: { dns: { hostname: peers, port: String(PEER_PORT), interval: '5s', timeout: '2s' } },
        protocol: {
          otlp: {
            tls: { insecure: true },
            timeout: '5s',
            sending_queue: { enabled: false },
            retry_on_failure: { enabled: false },
          },
        },
        // If a replica is deleted, its spans are sent to the others.
        retry_on_failure: { enabled: true, initial_interval: '1s', max_interval: '15s', max_elapsed_time: '5m' },
        sending_queue: { enabled: true, sizer: 'bytes', queue_size: 33_554_432, num_consumers: 4 },
      },
    ],
    [
      ['processors', 'tail_sampling'],
      { decision_wait: '10s', num_traces: 10_000, expected_new_traces_per_sec: 100, policies: policies(percentage) },
    ],
    [['service', 'pipelines', 'traces/in', 'exporters'], entry],
    [['service', 'pipelines', 'traces', 'receivers'], [RECEIVER]],
    [
      ['service', 'pipelines', 'traces', 'processors'],
      ['memory_limiter', ...decided],
    ],
  ];
  return edits.reduce((out, [path, value]) => set(out, path, value), gateway);
}

/** A trace is kept if any policy matches. */
function policies(percentage: number): JsonMap[] {
  const where = (name: string, ...span: string[]): JsonMap => ({
    name,
    type: 'ottl_condition',
    ottl_condition: { error_mode: 'ignore', span },
  });
  return [
    { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
    { name: 'slow', type: 'latency', latency: { threshold_ms: 5000 } },
    where(
      'policy-violations',
      'attributes["genops.policy_violation"] == true',
      'attributes["genops.policy_violation"] == "true"',
      'attributes["genops.policy.result"] == "blocked"',
    ),
    // numeric_attribute compares integers, so 1.5 would never match.
    where('expensive', 'attributes["genops.cost.total"] >= 1.0', 'attributes["genops.cost_usd"] >= 1.0'),
    {
      name: 'customer-tier',
      type: 'string_attribute',
      string_attribute: { key: 'genops.customer_tier', values: ['premium', 'enterprise'] },
    },
    // The doctor's probes; the head sampler keeps them, too.
    where('asked-for', 'attributes["sampling.priority"] > 0'),
    { name: 'share', type: 'probabilistic', probabilistic: { sampling_percentage: percentage } },
  ];
}

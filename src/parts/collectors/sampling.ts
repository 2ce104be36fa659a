import type { JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { placeOf } from '../catalog.ts';
import { listAt, set } from '../../core/json.ts';

/** Port at which the gateway's replicas hand each other the spans of a trace. */
export const PEER_PORT = 14317;
const RECEIVER = 'otlp/sampling';

/** Which share of traces is stored: by trace id as they come (head), or by what a whole trace was like (tail). */
export function sampled(base: JsonMap, config: Config): JsonMap {
  const { mode, rate } = config.genai.sampling;
  // 000-VAL-07: the share as the processors want it, in percent.
  const percentage = Number((rate * 100).toPrecision(12));
  if (mode === 'head') return set(base, ['processors', 'probabilistic_sampler', 'sampling_percentage'], percentage);
  return tail(base, config, percentage);
}

/**
 * Every span goes to the replica that its trace id names, by way of the gateway's headless Service: a decision needs whole traces
 * (upstream.md B.4 27). Span metrics are counted before that, from all spans (B.4 28).
 */
function tail(base: JsonMap, config: Config, percentage: number): JsonMap {
  const peers = `${placeOf(config, 'opentelemetry-collector').service.name}-headless`;
  const entry = listAt(base, 'service', 'pipelines', 'traces/in', 'exporters').map((name) =>
    name === 'routing/sampling' ? 'loadbalancing' : name,
  );
  const decided = listAt(base, 'service', 'pipelines', 'traces', 'processors').map((name) =>
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
        // A replica that has gone: what was meant for it is asked for anew, from those that are left.
        retry_on_failure: { enabled: true, initial_interval: '1s', max_interval: '15s', max_elapsed_time: '5m' },
        sending_queue: { enabled: true, sizer: 'bytes', queue_size: 33_554_432, num_consumers: 4 },
      },
    ],
    // Rows 003-SAMP-02 to 003-SAMP-08.
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
  return edits.reduce((out, [path, value]) => set(out, path, value), base);
}

/** A trace that one of them wants is kept. */
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
    // numeric_attribute compares integers: a cost of 1.5 would never match (upstream.md B.4 26). Both spellings.
    where('expensive', 'attributes["genops.cost.total"] >= 1.0', 'attributes["genops.cost_usd"] >= 1.0'),
    {
      name: 'customer-tier',
      type: 'string_attribute',
      string_attribute: { key: 'genops.customer_tier', values: ['premium', 'enterprise'] },
    },
    // Probes, as the head sampler keeps them.
    where('asked-for', 'attributes["sampling.priority"] > 0'),
    { name: 'share', type: 'probabilistic', probabilistic: { sampling_percentage: percentage } },
  ];
}

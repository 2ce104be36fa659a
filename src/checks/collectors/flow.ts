import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, type FactRef, fact, type Facts } from '../lib/facts.ts';
import { list, percent } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import { type CollectorId, enabledCollectors, GATEWAY, NODE } from '../lib/collectors.ts';
import { otelcol, rate, ratesOf } from '../lib/promql.ts';
import { resourceOf } from '../lib/place.ts';
import { CLOCK_READS, settledFor } from '../lib/time.ts';

const col = checksOf('COL');

const received = (what: string, signal: string, window: string) =>
  `sum by (collector) (rate(${otelcol(`receiver_${what}_${signal}`)}[${window}]))`;
const QUERIES = {
  traces: received('accepted', 'spans', '15m'),
  metrics: received('accepted', 'metric_points', '5m'),
  logs: received('accepted', 'log_records', '15m'),
  logsEver: `sum by (collector) (${otelcol('receiver_accepted_log_records')})`,
  logFiles: `sum by (collector) (${otelcol('fileconsumer_open_files')})`,
};
const ITEMS = ['spans', 'metric_points', 'log_records'];
const counters = (...whats: string[]) => whats.flatMap((what) => ITEMS.map((item) => `otelcol_${what}_${item}`));
const ACCEPTED = `sum by (collector, receiver) (${ratesOf(counters('receiver_accepted'), '5m')})`;
const REFUSED = `sum by (collector, receiver) (${ratesOf(counters('receiver_refused', 'receiver_failed'), '5m')})`;
const SENT = `sum by (collector, exporter) (${ratesOf(counters('exporter_sent'), '5m')})`;
const LOST = ratesOf(counters('exporter_send_failed', 'exporter_enqueue_failed'), '5m');
const FAILED = `sum by (collector, exporter) (${LOST})`;
const QUEUE =
  `max by (collector, exporter) (${otelcol('exporter_queue_size')} / on (instance, exporter, data_type) ` +
  `${otelcol('exporter_queue_capacity')})`;

function keys(...exprs: string[]): FactRef[] {
  return [...CLOCK_READS, ...exprs.map(fact.promql)];
}

const FLOW = ['PROM-01', 'PROM-03', 'COL-12', 'COL-05', 'COL-01', 'COL-02'];
const BACKENDS = [
  'COL-18',
  'TEMPO-01',
  'JAEG-01',
  'LOKI-01',
  'PROM-01',
  'TEMPO-03',
  'JAEG-03',
  'LOKI-05',
  'PROM-08',
  'PROM-07',
  'TEMPO-02',
  'LOKI-02',
  'PROM-03',
  'COL-12',
];

/** A rate needs two scrapes; failures while the stack starts do not count. */
const FIRST_RATES_S = 120;
const START_WINDOW_S = 600;

/** Values by the label collector, the name of the workload. */
function by(facts: Facts, expr: string): Map<string, number> {
  return new Map(facts.promql(expr).map(({ metric, value }) => [metric['collector'] ?? '', value]));
}

function accepted(facts: Facts): Verdict {
  const traces = by(facts, QUERIES.traces);
  const metrics = by(facts, QUERIES.metrics);
  const logs = by(facts, QUERIES.logs);
  const ever = by(facts, QUERIES.logsEver);
  const files = by(facts, QUERIES.logFiles);
  const settled = settledFor(facts);
  const total = (map: Map<string, number>) => [...map.values()].reduce((sum, value) => sum + value, 0);
  const name = (id: CollectorId) => facts.place(id).workload.name;
  const [gateway, node] = [name(GATEWAY), name(NODE)];
  const silent = enabledCollectors(facts.config).filter((id) => !metrics.get(name(id)));
  // Collectors have intervals of their own, and a rate needs two scrapes after them.
  if (settled < FIRST_RATES_S && (silent.length || total(ever) === 0))
    return skip(
      `the stack started ${formatDuration(settled)} ago: no rates ` +
        `yet${silent.length ? ` of ${list(silent.map(name))}` : ''}`,
    );
  const fix = (id: CollectorId) => `${facts.kubectlFor(id)} logs ${resourceOf(facts, id)} --tail=50`;
  if (silent[0]) {
    return fail(`${list(silent.map(name))} accepted no metric points in 5 min`, {
      cause:
        silent[0] === GATEWAY
          ? 'the node and cluster collectors do not reach the gateway'
          : 'its receivers read nothing: permissions or configuration',
      fix: fix(silent[0]),
    });
  }
  if (facts.config.loki.enabled && facts.config[NODE].enabled) {
    // A quiet node has no new lines after a restart: open files prove that the collector would read them.
    if (!ever.get(node) && !files.get(node))
      return fail(`${node} reads no container log: no file open, no log record accepted`, {
        cause: 'its log paths match nothing, or it lacks permission to read them',
        fix: fix(NODE),
      });
    if (logs.get(node) && !logs.get(gateway) && !ever.get(gateway))
      return fail(`${node} accepted ${rate(logs.get(node) ?? 0, 'log records')}, ${gateway} none`, {
        cause: 'logs of the node collectors do not reach the gateway',
        fix: fix(GATEWAY),
      });
  }
  const spans = traces.get(gateway) ?? total(traces);
  const text = [
    `metrics ${rate(total(metrics))}`,
    total(logs) > 0 ? `logs ${rate(total(logs))}` : 'no log line in 15 min',
    spans > 0 ? `spans ${rate(spans)}` : 'no application has sent traces in 15 min',
  ];
  return ok(`all collectors together: ${text.join(', ')}`);
}

/** Share of bad in good and bad together, worst first. */
function shares(
  facts: Facts,
  good: string,
  bad: string,
  label: string,
): { name: string; share: number; rate: number }[] {
  const keyOf = (metric: Record<string, string>) => `${metric['collector'] ?? '?'} ${metric[label] ?? '?'}`;
  const goods = new Map(facts.promql(good).map(({ metric, value }) => [keyOf(metric), value]));
  // Failure counters may be absent until the first failure; success counters always exist.
  if (!goods.size) throw new FactUnavailable("Prometheus has no series of the collectors' own counters");
  const bads = facts.promql(bad).filter(({ value }) => value > 0);
  return bads
    .map(({ metric, value }) => ({
      name: keyOf(metric),
      rate: value,
      share: value / (value + (goods.get(keyOf(metric)) ?? 0)),
    }))
    .sort((a, b) => b.share - a.share);
}

function judgeShare(
  facts: Facts,
  rows: { name: string; share: number; rate: number }[],
  what: string,
  more: { cause: string; fix: string },
): Verdict {
  const worst = rows[0];
  if (!worst) return ok(`nothing ${what} in 5 min`);
  const evidence = rows
    .slice(0, 3)
    .map(({ name, share, rate: perSecond }) => `${name} ${percent(share)} (${rate(perSecond)})`)
    .join(', ');
  const settled = settledFor(facts);
  if (settled < START_WINDOW_S)
    return ok(`${what} while the stack started ${formatDuration(settled)} ago, not counted: ${evidence}`);
  return worst.share >= 0.01 ? fail(`${what}: ${evidence}`, more) : warn(`${what}: ${evidence}`, more);
}

function queues(facts: Facts): Verdict {
  const rows = facts.promql(QUEUE).toSorted((a, b) => b.value - a.value);
  const worst = rows[0];
  if (!worst) throw new FactUnavailable("Prometheus has no series of the exporters' queues");
  const text =
    `fullest queue: ${worst.metric['exporter'] ?? '?'} of ${worst.metric['collector'] ?? '?'} at ` +
    percent(worst.value);
  const more = {
    cause: 'the backend is slower than its senders, or does not answer',
    fix:
      `check the backend of ${worst.metric['exporter'] ?? 'the exporter'}; ${facts.kubectlFor(GATEWAY)} ` +
      `logs ${resourceOf(facts, GATEWAY)} --tail=50`,
  };
  if (worst.value >= 0.8) return fail(text, more);
  return worst.value >= 0.5 ? warn(text, more) : ok(`${text}, ${rows.length} queues`);
}

export const flowChecks: Check[] = [
  col('14', 'Collectors receive telemetry', {
    about:
      'Compares the rates of accepted metric points, log records and spans by collector. Failed: no ' +
      'metric points anywhere, a node collector without an open log file, or a gateway that receives ' +
      'none of the log records that node collectors read. Spans come from applications only: none in 15 ' +
      'minutes is reported and is ok, and so is a quiet node without new lines.',
    sources: '000-SELF-01, 001-PRIN-01, 004-TRB-02',
    needs: [GATEWAY, 'prometheus'],
    dependsOn: [...FLOW, 'COL-06', 'COL-09', 'COL-18', 'COL-24', 'LOKI-01'],
    reads: keys(...Object.values(QUERIES)),
    run: accepted,
  }),
  col('15', 'Collectors refuse nothing', {
    about:
      'Share of spans, points and records that receivers refused or failed to accept in 5 minutes. A ' +
      'refusal is back-pressure: the memory_limiter is active, or a queue is full. Warning: under 1 %. ' +
      'Failed: 1 % or more. Add memory or replicas, or fix the backend behind the full queue.',
    sources: 'genai-obs',
    needs: ['prometheus'],
    dependsOn: [...FLOW, 'COL-16', 'COL-17', ...BACKENDS],
    reads: keys(ACCEPTED, REFUSED),
    run: (facts) =>
      judgeShare(facts, shares(facts, ACCEPTED, REFUSED, 'receiver'), 'refused', {
        cause: 'the memory_limiter is active or a sending queue is full',
        fix:
          'more replicas (opentelemetry-collector.replicaCount) or memory, then: genai-obs install; ' +
          `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --tail=20`,
      }),
  }),
  col('16', 'Exporters lose nothing', {
    about:
      'Share of spans, points and records that an exporter failed to send or to queue in 5 minutes, by ' +
      'exporter. Exporters retry without limit, so this counts permanent failures: data that the backend ' +
      'refuses, or a full queue. Warning: under 1 %. Failed: 1 % or more. Failures in the first ten ' +
      'minutes after a start are reported and do not count.',
    sources: '004-TRB-03',
    needs: ['prometheus'],
    dependsOn: BACKENDS,
    reads: keys(SENT, FAILED),
    run: (facts) =>
      judgeShare(facts, shares(facts, SENT, FAILED, 'exporter'), 'failed to leave', {
        cause: 'the backend refuses the data or cannot be reached: address, TLS, credentials, limits',
        fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep -i 'Exporting failed'`,
      }),
  }),
  col('17', 'Sending queues are not filling up', {
    about:
      'Fill level of the sending queue of every exporter. A growing queue means that a backend is slow ' +
      'or down; a full one makes the collector refuse data. Ok: under 50 %. Warning: under 80 %. Failed: ' +
      '80 % or more. Check the backend first, then add replicas.',
    sources: 'genai-obs',
    needs: ['prometheus'],
    dependsOn: BACKENDS,
    reads: keys(QUEUE),
    run: queues,
  }),
];

import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { at, textAt, textsAt } from '../../core/json.ts';
import { plural, list, percent } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import { CLUSTER, GATEWAY, NODE } from '../lib/collectors.ts';
import { configObject, resourceOf, workloadObject } from '../lib/place.ts';
import { rate, required, scalar } from '../lib/promql.ts';
import { bodyOf } from '../lib/service.ts';
import { CLOCK_READS, settledFor } from '../lib/time.ts';

const loki = checksOf('LOKI');

const LINES = 'sum(rate(loki_distributor_lines_received_total[5m]))';

const LINES_EVER = 'sum(loki_distributor_lines_received_total)';

const SENT = 'sum(rate({__name__=~"otelcol_exporter_sent_log_records(_total)?",exporter=~".*loki.*"}[5m]))';

const DISCARDED = 'sum by (reason) (rate(loki_discarded_samples_total[5m]))';

const LABELS = '/loki/api/v1/labels';

const EVENTS_QUERY = 'sum(count_over_time({service_name="kubernetes-events"}[24h]))';
const EVENTS = `/loki/api/v1/query?query=${encodeURIComponent(EVENTS_QUERY)}`;

function lines(facts: Facts): Verdict {
  const [received, ever, sent] = [scalar(facts, LINES), scalar(facts, LINES_EVER), scalar(facts, SENT)];
  const settled = settledFor(facts);
  if (settled < 120 && !received) return skip(`the stack started ${formatDuration(settled)} ago: no rates yet`);
  if (ever === undefined) throw new FactUnavailable('Prometheus has no series of Loki: see PROM-04');
  if (received) return ok(rate(received, 'lines'));
  if (sent)
    return fail(`the gateway sends ${rate(sent, 'log records')}, but Loki has received none in 5 min`, {
      cause: 'the exporter sends to another address, or Loki rejects all lines',
      fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=10m | grep loki`,
      object: workloadObject(facts, 'loki'),
    });
  return ok(`no line in 5 min, and the gateway sent none; ${ever} lines since Loki started`);
}

/** Labels that dashboards select by. Which workload labels exist depends on the workloads of the cluster. */
const NEEDED = [
  'service_name',
  'k8s_namespace_name',
  'k8s_container_name',
  'k8s_cluster_name',
  'deployment_environment_name',
];

const WORKLOADS = ['k8s_deployment_name', 'k8s_statefulset_name', 'k8s_daemonset_name'];

function labels(facts: Facts): Verdict {
  const found = new Set(textsAt(bodyOf(facts, 'loki', LABELS), 'data'));
  const settled = settledFor(facts);
  const missing = [
    ...NEEDED.filter((label) => !found.has(label)),
    ...(WORKLOADS.some((label) => found.has(label)) ? [] : [WORKLOADS.join(' or ')]),
  ];
  const more = {
    cause:
      'the gateway does not set the attributes (k8s_attributes, resource), or they are not index labels in ' +
      'limits_config.otlp_config',
    fix: 'genai-obs install   # restores the configuration of the gateway and Loki',
    object: configObject(facts, 'loki'),
  };
  if (!missing.length) return ok(`${found.size} labels, among them ${NEEDED.join(', ')}`);
  if (settled < 300) return skip(`the stack started ${formatDuration(settled)} ago: no ${missing.join(', ')} yet`);
  return found.size === 0
    ? fail('Loki has no labels: no log line has arrived in 6 h', { ...more, cause: 'nothing sends logs to Loki' })
    : warn(`missing: ${missing.join(', ')}; present: ${list([...found], 12)}`, more);
}

function discarded(facts: Facts): Verdict {
  const received = required(facts, LINES, "Loki's received lines");
  const rows = facts
    .promql(DISCARDED)
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value);
  const total = rows.reduce((sum, { value }) => sum + value, 0);
  if (!total) return ok('no line discarded in 5 min');
  const share = total / Math.max(total, received);
  const reasons = rows.map(({ metric, value }) => `${metric['reason'] ?? '?'} ${rate(value)}`).join(', ');
  const text = `${rate(total, 'lines')} discarded (${percent(share)}): ${reasons}`;
  const old = rows.some(({ metric }) => /greater_than_max_sample_age|too_far/.test(metric['reason'] ?? ''));
  const more = {
    cause: old
      ? 'lines older than 168h or from the future: clocks differ, or old files were read again'
      : 'the lines exceed a limit in limits_config: rate, line size or labels',
    fix:
      `${facts.kubectlFor('loki')} logs ${resourceOf(facts, 'loki')} --tail=50   # names the limit; it is set in ` +
      'templates/loki/config.yaml',
    object: workloadObject(facts, 'loki'),
  };
  return share > 0.01 ? fail(text, more) : warn(text, more);
}

function events(facts: Facts): Verdict {
  const count = Number(at(bodyOf(facts, 'loki', EVENTS), 'data', 'result', 0, 'value', 1) ?? 0);
  if (count > 0) return ok(`${count} lines of service kubernetes-events in 24 h`);
  const time = facts.now();
  const stamp = (event: unknown) => Date.parse(textAt(event, 'lastTimestamp') ?? textAt(event, 'eventTime') ?? '') || 0;
  const recent = facts.objects('Event').filter((event) => time - stamp(event) < 1800_000 && stamp(event) > 0);
  if (!recent.length) return ok('no events in Loki, and none in the namespace in the last 30 min');
  const settled = settledFor(facts);
  if (settled < 300) return skip(`the stack started ${formatDuration(settled)} ago: no event has arrived yet`);
  return warn(`${plural(recent.length, 'event')} in the namespace in the last 30 min, none in Loki`, {
    cause: 'the k8sobjects receiver of the cluster collector is missing, or lacks permission to watch events',
    fix: `${facts.kubectlFor(CLUSTER)} logs ${resourceOf(facts, CLUSTER)} --tail=50`,
    object: workloadObject(facts, CLUSTER),
  });
}

export const intakeChecks: Check[] = [
  loki('04', 'Loki receives lines', {
    about:
      'Compares the lines that Loki receives with the log records that the gateway sends. Failed: ' +
      'the gateway sends and Loki receives nothing. No traffic on either side is ok, because a ' +
      'quiet cluster may log nothing for minutes.',
    sources: '003-COL-11, 004-TRB-06',
    needs: ['loki', 'prometheus'],
    dependsOn: ['LOKI-01', 'LOKI-02', 'PROM-01', 'PROM-03', 'LOKI-05', 'COL-18', 'PROM-04'],
    reads: [...CLOCK_READS, ...[LINES, LINES_EVER, SENT].map(fact.promql)],
    run: lines,
  }),
  loki('06', 'Logs carry the labels that dashboards use', {
    about:
      'Dashboards and correlations select logs by service_name, namespace, container, cluster, ' +
      'environment and workload name. Warning: a label is missing, so panels stay empty although ' +
      'lines arrive. Failed: Loki has no labels. The gateway does not set the attributes, or Loki ' +
      'does not index them.',
    sources: '002-OPEN-03, 002-SUM-01, 003-LOKI-04, 003-LOKI-05, 003-LOKI-07',
    needs: ['loki', NODE],
    dependsOn: ['LOKI-01', 'LOKI-02', 'LOKI-04', 'COL-06', 'COL-14'],
    reads: [...CLOCK_READS, fact.http('loki', LABELS)],
    run: labels,
  }),
  loki('09', 'Loki discards no lines', {
    about:
      'Measures the share of lines that Loki discards over 5 minutes, by reason: too old, too ' +
      'long, too fast, too many labels. Warning: up to 1 %. Failed: more. The reason names the ' +
      'limit; for old lines check the clocks first.',
    sources: '001-LOKI-05',
    needs: ['loki', 'prometheus'],
    dependsOn: ['LOKI-01', 'LOKI-02', 'PROM-01', 'PROM-03', 'PROM-04'],
    reads: [LINES, DISCARDED].map(fact.promql),
    run: discarded,
  }),
  loki('11', 'Kubernetes events reach Loki', {
    about:
      'The cluster collector sends Kubernetes events as logs of service kubernetes-events. Quota ' +
      'refusals, failed mounts and evictions stay searchable after the API server deletes its ' +
      'events. Warning: the namespace has events, but Loki has none in 24 hours; check the ' +
      'receiver and its permissions.',
    sources: '001-CF-02',
    needs: ['loki', 'opentelemetry-cluster-collector'],
    dependsOn: ['LOKI-01', 'LOKI-02', 'COL-24', 'COL-06', 'COL-18', 'COL-02', 'LOKI-05'],
    reads: [...CLOCK_READS, fact.http('loki', EVENTS), fact.objects('Event')],
    run: events,
  }),
];

import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from './lib/check.ts';
import { FactUnavailable, fact, type Facts } from './lib/facts.ts';
import { at, listAt, textAt, textsAt, keysOf } from '../core/json.ts';
import { plural, list, percent } from '../core/text.ts';
import { parseDuration, formatDuration } from '../core/quantity.ts';
import { parseDocument } from 'yaml';
import { CLUSTER, GATEWAY, NODE } from './lib/collectors.ts';
import { configObject, resourceOf, workloadObject } from './lib/place.ts';
import { POLICIES, REACH_READS, reachVerdict } from './lib/network.ts';
import { rate, required, scalar } from './lib/promql.ts';
import { bodyOf, readyVerdict, serviceReads, serviceVerdict } from './lib/service.ts';
import { CLAIM_READS, claimVerdict } from './lib/storage.ts';
import { CLOCK_READS, settledFor } from './lib/time.ts';
import { workloadReads, workloadVerdict } from './lib/workload.ts';

const loki = checksOf('LOKI');
const OBJECT = (facts: Facts) => workloadObject(facts, 'loki');
const UP = ['LOKI-01', 'LOKI-02'];
const PROMETHEUS = ['PROM-01', 'PROM-03'];

const LINES = 'sum(rate(loki_distributor_lines_received_total[5m]))';
const LINES_EVER = 'sum(loki_distributor_lines_received_total)';
const SENT = 'sum(rate({__name__=~"otelcol_exporter_sent_log_records(_total)?",exporter=~".*loki.*"}[5m]))';
const DISCARDED = 'sum by (reason) (rate(loki_discarded_samples_total[5m]))';
const RING = '/ring';
const LABELS = '/loki/api/v1/labels';
const EVENTS = `/loki/api/v1/query?query=${encodeURIComponent('sum(count_over_time({service_name="kubernetes-events"}[24h]))')}`;
const CONFIG = '/config';
const http = (path: string) => fact.http('loki', path);

/** Keys that Loki 3 no longer knows; its YAML is strict, so one of them keeps it from starting. */
const REMOVED = [
  'enforce_metric_name',
  'shared_store',
  'shared_store_key_prefix',
  'max_transfer_retries',
  'max_look_back_period',
];

/** JSON where Loki is asked for it, else its HTML page. */
function ring(facts: Facts): Verdict {
  const found = bodyOf(facts, 'loki', RING);
  const shards = listAt(found, 'shards');
  const states = shards.length
    ? shards.map((one) => `${textAt(one, 'id') ?? '?'} ${textAt(one, 'state') ?? '?'}`)
    : [...String(found).matchAll(/<td[^>]*>\s*(ACTIVE|JOINING|PENDING|LEAVING|Unhealthy|UNHEALTHY)\s*<\/td>/g)].map(
        (match) => match[1] ?? '',
      );
  if (!states.length) throw new FactUnavailable('/ring of Loki names no ingester');
  const text = list(states);
  const more = {
    cause: 'the ingester has not joined its ring, or one that died has not been forgotten',
    fix: `${facts.kubectlFor('loki')} rollout restart ${resourceOf(facts, 'loki')}`,
    object: OBJECT(facts),
  };
  if (states.every((state) => state.endsWith('ACTIVE'))) return ok(`ingester ring: ${text}`);
  return states.some((state) => /unhealthy|leaving/i.test(state))
    ? fail(`ingester ring: ${text}`, more)
    : warn(`ingester ring: ${text}`, { ...more, cause: 'the ingester is joining its ring' });
}

function lines(facts: Facts): Verdict {
  const [received, ever, sent] = [scalar(facts, LINES), scalar(facts, LINES_EVER), scalar(facts, SENT)];
  const settled = settledFor(facts);
  if (settled < 120 && !received) return skip(`the stack started ${formatDuration(settled)} ago: no rate yet`);
  if (ever === undefined) throw new FactUnavailable('Prometheus has no series of Loki: see PROM-04');
  if (received) return ok(rate(received, 'lines'));
  if (sent)
    return fail(`the gateway sends ${rate(sent, 'log records')} and Loki has received none in 5 min`, {
      cause: 'the exporter sends elsewhere, or Loki refuses everything',
      fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=10m | grep loki`,
      object: OBJECT(facts),
    });
  return ok(`no line in 5 min, and the gateway had none to send; ${ever} lines since its start`);
}

/** What the dashboards select by; which workload labels exist depends on what runs in the cluster. */
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
      'attributes are not set by the gateway (k8s_attributes, resource) or are no index labels in limits_config.otlp_config',
    fix: 'genai-obs install   # configuration of gateway and Loki',
    object: configObject(facts, 'loki'),
  };
  if (!missing.length) return ok(`${found.size} labels, among them ${NEEDED.join(', ')}`);
  if (settled < 300) return skip(`the stack started ${formatDuration(settled)} ago: not yet ${missing.join(', ')}`);
  return found.size === 0
    ? fail('Loki has no labels: no log line has arrived in 6 h', { ...more, cause: 'nothing sends logs to Loki' })
    : warn(`missing: ${missing.join(', ')}; there are ${list([...found], 12)}`, more);
}

/** Redaction may have put a mark where YAML wants a key: what can be read is enough, as long as the sections are there. */
function config(facts: Facts): unknown {
  const text = bodyOf(facts, 'loki', CONFIG);
  const found: unknown = typeof text === 'string' ? parseDocument(text, { logLevel: 'silent' }).toJS() : text;
  if (!at(found, 'compactor') || !at(found, 'limits_config'))
    throw new FactUnavailable('/config of Loki shows no compactor and limits');
  return found;
}

function retention(facts: Facts): Verdict {
  const running = config(facts);
  const wanted = facts.config.loki.retention;
  const period = textAt(running, 'limits_config', 'retention_period') ?? '';
  const fix = { fix: 'genai-obs install', object: configObject(facts, 'loki') };
  if (at(running, 'compactor', 'retention_enabled') !== true)
    return warn('compactor.retention_enabled is false: logs are kept for ever', {
      cause: 'without the compactor nothing is deleted',
      ...fix,
    });
  if (!parseDuration(period))
    return warn(`retention_period is ${period || 'absent'}: logs are kept for ever`, {
      cause: 'limits_config.retention_period is 0',
      ...fix,
    });
  if (!textAt(running, 'compactor', 'delete_request_store'))
    return warn('compactor.delete_request_store is not set: retention does not work', {
      cause: 'the compactor has no place for its deletions',
      ...fix,
    });
  if (parseDuration(period) !== parseDuration(wanted))
    return warn(`logs are kept ${period}, the profile says ${wanted}`, {
      cause: 'the profile was changed and not applied',
      ...fix,
    });
  return ok(`logs are kept ${wanted}, the compactor deletes older ones`);
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
  const text = `${rate(total, 'lines')} discarded (${percent(share)}): ${rows.map(({ metric, value }) => `${metric['reason'] ?? '?'} ${rate(value)}`).join(', ')}`;
  const old = rows.some(({ metric }) => /greater_than_max_sample_age|too_far/.test(metric['reason'] ?? ''));
  const more = {
    cause: old
      ? 'lines older than 168h or from the future: clocks, or old files read again'
      : 'a limit of limits_config: rate, line size, labels',
    fix: `${facts.kubectlFor('loki')} logs ${resourceOf(facts, 'loki')} --tail=50   # then the limit it names, in templates/loki/config.yaml`,
    object: OBJECT(facts),
  };
  return share > 0.01 ? fail(text, more) : warn(text, more);
}

function events(facts: Facts): Verdict {
  const count = Number(at(bodyOf(facts, 'loki', EVENTS), 'data', 'result', 0, 'value', 1) ?? 0);
  if (count > 0) return ok(`${count} lines of service kubernetes-events in 24 h`);
  const time = facts.now();
  const stamp = (event: unknown) => Date.parse(textAt(event, 'lastTimestamp') ?? textAt(event, 'eventTime') ?? '') || 0;
  const recent = facts.objects('Event').filter((event) => time - stamp(event) < 1800_000 && stamp(event) > 0);
  if (!recent.length) return ok('no events in Loki, and none in the namespace within 30 min');
  const settled = settledFor(facts);
  if (settled < 300) return skip(`the stack started ${formatDuration(settled)} ago: no event has come through yet`);
  return warn(`${plural(recent.length, 'event')} in the namespace within 30 min, none in Loki`, {
    cause: 'the k8sobjects receiver of the cluster collector may not watch events, or is missing',
    fix: `${facts.kubectlFor(CLUSTER)} logs ${resourceOf(facts, CLUSTER)} --tail=50`,
    object: workloadObject(facts, CLUSTER),
  });
}

function removedKeys(facts: Facts): Verdict {
  const bad = [...new Set(keysOf(facts.running('loki')).filter((key) => REMOVED.includes(key)))];
  const version = textAt(tryBuild(facts), 'version');
  if (bad.length)
    return fail(`${bad.join(', ')}: unknown to Loki ${version ?? '3'}`, {
      cause: 'keys that Loki 3 removed; its configuration is strict and it does not start',
      fix: 'genai-obs install   # writes the configuration again',
      object: configObject(facts, 'loki'),
    });
  const schema = listAt(facts.running('loki'), 'schema_config', 'configs').at(-1);
  if (textAt(schema, 'store') !== 'tsdb' || textAt(schema, 'schema') !== 'v13')
    return fail(`the newest schema is ${textAt(schema, 'store') ?? '?'} ${textAt(schema, 'schema') ?? '?'}`, {
      cause: 'OTLP and structured metadata need tsdb with v13',
      fix: 'genai-obs install',
      object: configObject(facts, 'loki'),
    });
  return ok(`no removed key, schema tsdb v13${version ? `, Loki ${version}` : ''}`);
}

/** The version only adorns the verdict: it must be there while Loki does not run. */
function tryBuild(facts: Facts): unknown {
  try {
    return facts.http('loki', '/loki/api/v1/status/buildinfo').body;
  } catch (error) {
    if (error instanceof FactUnavailable) return undefined;
    throw error;
  }
}

export const lokiChecks: Check[] = [
  loki('01', 'Loki is ready', {
    about:
      'The workload of Loki must have its pod ready; without it no logs are stored or shown, and the gateway keeps them in its queue until that is full. The finding names the cause: an unbound claim, an image, memory, or the line with which Loki ended.',
    sources: '003-LOKI-01, 003-LOKI-02, 004-P3-03',
    needs: ['loki'],
    dependsOn: ['LOKI-07'],
    reads: workloadReads('loki'),
    run: (facts) => workloadVerdict(facts, 'loki'),
  }),
  loki('02', 'Loki answers ready', {
    about:
      'Asks /ready through the API server. Loki is ready when its ingester has joined the ring and everything it needs is started; shortly after a start it says what it waits for, which only warns.',
    sources: '001-CHK-03, 001-PORT-03',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-05'],
    reads: [http('/ready')],
    run: (facts) =>
      readyVerdict(facts, 'loki', ['/ready'], /Ingester not ready|waiting for|Some services are not Running/i),
  }),
  loki('03', "Loki's ingester is active", {
    about:
      'Lines are taken only by ingesters that are ACTIVE in the ring. JOINING passes by itself; an unhealthy or leaving one that stays keeps writes from succeeding. A restart of the StatefulSet clears a ring that is kept in memory.',
    sources: '004-P3-03',
    needs: ['loki'],
    dependsOn: UP,
    reads: [http(RING)],
    run: ring,
  }),
  loki('04', 'Loki receives lines', {
    about:
      'Rate of lines that Loki receives, against what the gateway sends it. Loki silent while the gateway sends is a break between them; silence on both sides is told and is no fault, because a quiet cluster may log nothing for minutes.',
    sources: '003-COL-11, 004-TRB-06',
    needs: ['loki', 'prometheus'],
    dependsOn: [...UP, ...PROMETHEUS, 'LOKI-05', 'COL-18', 'PROM-04'],
    reads: [...CLOCK_READS, ...[LINES, LINES_EVER, SENT].map(fact.promql)],
    run: lines,
  }),
  loki('05', 'Nothing is in the way to Loki', {
    about:
      'The Service loki must lead to port 3100 of the pods, and no NetworkPolicy may keep the gateway, which writes, or Grafana, which reads, from it. Policies are read and judged as a network plugin does; the finding names the one that blocks.',
    sources: '001-CFG-09, 003-LOKI-03, 004-TRB-07',
    needs: ['loki'],
    reads: [...serviceReads('loki'), REACH_READS],
    dependsOn: [POLICIES],
    run: (facts) => {
      const service = serviceVerdict(facts, 'loki');
      return service.status === 'ok' ? reachVerdict(facts, 'loki', [3100]) : service;
    },
  }),
  loki('06', 'Logs carry the labels that dashboards use', {
    about:
      'Dashboards and correlations select logs by service_name, namespace, container, cluster and environment, and by the name of a workload. Missing labels mean that the gateway does not set the attributes or that Loki does not index them. Then panels stay empty although lines arrive.',
    sources: '002-OPEN-03, 002-SUM-01, 003-LOKI-04, 003-LOKI-05, 003-LOKI-07',
    needs: ['loki', NODE],
    dependsOn: [...UP, 'LOKI-04', 'COL-06', 'COL-14'],
    reads: [...CLOCK_READS, http(LABELS)],
    run: labels,
  }),
  loki('07', "Loki's configuration fits its version", {
    about:
      'Keys that Loki 3 has removed, such as enforce_metric_name or shared_store, keep it from starting; OTLP needs a tsdb schema v13. Looks at the ConfigMap, so that it explains why Loki does not come up.',
    sources: '001-LOKI-03, 001-LOKI-05, 004-TUNE-04, upstream.md B.0',
    needs: ['loki'],
    reads: [fact.running('loki'), http('/loki/api/v1/status/buildinfo')],
    run: removedKeys,
  }),
  loki('08', 'Old logs are deleted as planned', {
    about:
      'Loki deletes only when the compactor does retention; otherwise the volume fills up. The running configuration must have it on, with a place for deletions and the period of loki.retention. A difference means that the profile was changed and not applied.',
    sources: '001-LOKI-06, 004-MNT-03, 004-P1-04, 004-TUNE-04',
    needs: ['loki'],
    dependsOn: UP,
    reads: [http(CONFIG)],
    run: retention,
  }),
  loki('09', 'Loki discards no lines', {
    about:
      'Lines that Loki throws away, by reason, over 5 minutes: too old, too long, too fast, too many labels. Up to 1 % warns, more fails. The reason names the limit; for old lines look at clocks first.',
    sources: '001-LOKI-05',
    needs: ['loki', 'prometheus'],
    dependsOn: [...UP, ...PROMETHEUS, 'PROM-04'],
    reads: [LINES, DISCARDED].map(fact.promql),
    run: discarded,
  }),
  loki('10', 'The volume of Loki is bound and has room', {
    about:
      'The claim loki-data must be bound and less than 70 % full; from 85 % it fails. A full volume stops Loki from taking lines. Volumes that are folders of a node have no figures of their own: then the disk of the node counts. Shorten loki.retention or grow the volume.',
    sources: '000-INST-11, 004-P1-03',
    needs: ['loki'],
    skipIf: (c) => (c.storage.enabled ? undefined : 'storage.enabled is false: data lives with the pod'),
    dependsOn: ['LOKI-01'],
    reads: CLAIM_READS,
    run: (facts) => claimVerdict(facts, 'loki'),
  }),
  loki('11', 'Kubernetes events reach Loki', {
    about:
      'The cluster collector sends Kubernetes events as logs of service kubernetes-events: quota refusals, failed mounts and evictions can be searched after the API server has forgotten them. If the namespace has had events and Loki has none of 24 hours, the receiver or its permission is missing.',
    sources: '001-CF-02',
    needs: ['loki', 'opentelemetry-cluster-collector'],
    dependsOn: [...UP, 'COL-24', 'COL-06', 'COL-18', 'COL-02', 'LOKI-05'],
    reads: [...CLOCK_READS, http(EVENTS), fact.objects('Event')],
    run: events,
  }),
];

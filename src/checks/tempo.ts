import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from './lib/check.ts';
import { FactUnavailable, type FactRef, fact, type Facts } from './lib/facts.ts';
import { objectsIn, workloadOf, podsOf } from './lib/objects.ts';
import { at, mapAt, listAt, textAt, leaves } from '../core/json.ts';
import { oneLine, plural, list } from '../core/text.ts';
import { parseDuration, formatDuration } from '../core/quantity.ts';
import { GATEWAY } from './lib/collectors.ts';
import { configObject, resourceOf, workloadObject } from './lib/place.ts';
import { POLICIES, REACH_READS, reachVerdict } from './lib/network.ts';
import { rate, scalar } from './lib/promql.ts';
import { readyVerdict, serviceReads, serviceVerdict } from './lib/service.ts';
import { CLAIM_READS, claimVerdict, hasVolume } from './lib/storage.ts';
import { CLOCK_READS, settledFor } from './lib/time.ts';
import { workloadReads, workloadVerdict } from './lib/workload.ts';

const tempo = checksOf('TEMPO');
const OBJECT = (facts: Facts) => workloadObject(facts, 'tempo');
const UP = ['TEMPO-01', 'TEMPO-02'];
const PROMETHEUS = ['PROM-01', 'PROM-03', 'PROM-04'];

const SPANS = 'sum(rate(tempo_distributor_spans_received_total[15m]))';
const SPANS_EVER = 'sum(tempo_distributor_spans_received_total)';
const SENT = 'sum(rate({__name__=~"otelcol_exporter_sent_spans(_total)?",exporter=~".*tempo.*"}[15m]))';
const CALLS = 'count(traces_span_metrics_calls_total)';
const GRAPH = 'count(traces_service_graph_request_total)';
const ACCEPTED = 'sum(rate({__name__=~"otelcol_receiver_accepted_spans(_total)?"}[15m]))';
// Without times Tempo searches what its ingester holds, which is the last minutes.
const SEARCH = '/api/search?limit=20';
const http = (path: string) => fact.http('tempo', path);
const promql = (...exprs: string[]): FactRef[] => exprs.map(fact.promql);

function received(facts: Facts): Verdict {
  const [spans, ever, sent] = [scalar(facts, SPANS), scalar(facts, SPANS_EVER), scalar(facts, SENT)];
  if (spans) return ok(rate(spans, 'spans'));
  const settled = settledFor(facts);
  if (settled < 120) return skip(`the stack started ${formatDuration(settled)} ago: no rate yet`);
  if (sent)
    return fail(`the gateway sends ${rate(sent, 'spans')} and Tempo has received none in 15 min`, {
      cause: 'the exporter sends elsewhere, or Tempo refuses everything',
      fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep tempo`,
      object: OBJECT(facts),
    });
  return ok(`no application has sent traces in 15 min${ever ? `; ${ever} spans since its start` : ''}`);
}

function search(facts: Facts): Verdict {
  const answer = facts.http('tempo', SEARCH);
  if (answer.status !== 200) {
    return fail(
      `a search answers ${answer.status}: ${oneLine(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body), 160)}`,
      {
        cause: 'the querier or its storage fails',
        fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} --tail=50`,
        object: OBJECT(facts),
      },
    );
  }
  const traces = listAt(answer.body, 'traces');
  const services = [...new Set(traces.map((trace) => textAt(trace, 'rootServiceName') ?? '?'))];
  if (traces.length) return ok(`${plural(traces.length, 'recent trace')} found, of ${list(services)}`);
  const spans = facts.config.prometheus.enabled ? (scalar(facts, SPANS) ?? 0) : 0;
  if (!spans) return ok('the search works; no application has sent traces in 15 min');
  if (settledFor(facts) < 300)
    return skip('the stack has just started: traces are searchable a few seconds after their last span');
  return warn(`Tempo receives ${rate(spans, 'spans')}, and a search finds no trace`, {
    cause: 'traces are not flushed or the search is off',
    fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} --tail=50`,
    object: OBJECT(facts),
  });
}

function retention(facts: Facts): Verdict {
  const config = facts.running('tempo');
  const period = textAt(config, 'compactor', 'compaction', 'block_retention');
  const wanted = facts.config.tempo.retention;
  const backend = textAt(config, 'storage', 'trace', 'backend') ?? 'local';
  const volume = backend === 'local' ? claim(facts) : ok(`storage ${backend}`);
  if (volume.status === 'fail') return volume;
  if (parseDuration(period) !== parseDuration(wanted))
    return warn(`traces are kept ${period ?? '336h (the default)'}, the profile says ${wanted}`, {
      cause: 'the profile was changed and not applied',
      fix: 'genai-obs install',
      object: configObject(facts, 'tempo'),
    });
  return volume.status === 'ok' ? ok(`traces are kept ${wanted}; ${volume.evidence}`) : volume;
}

function claim(facts: Facts): Verdict {
  if (hasVolume(facts, 'tempo')) return claimVerdict(facts, 'tempo');
  return warn('traces lie in an emptyDir: they are gone with the pod', {
    cause: 'storage.enabled is false, or the volume was changed',
    fix: 'set storage.enabled to true in the profile, then: genai-obs install',
    object: OBJECT(facts),
  });
}

function overrides(facts: Facts): Verdict {
  const config = facts.running('tempo');
  const files = leaves(mapAt(config, 'overrides'))
    .filter(({ path }) => path.endsWith('per_tenant_override_config'))
    .map(({ text }) => text);
  if (!files[0]) return ok('no file of overrides is referenced');
  const name = files[0].split('/').at(-1) ?? '';
  const mounts = listAt(podsOf(facts, 'tempo')[0] ?? workloadOf(facts, 'tempo'), 'spec', 'containers').flatMap(
    (container) => listAt(container, 'volumeMounts'),
  );
  const mounted = mounts.some((mount) => files[0]?.startsWith(textAt(mount, 'mountPath') ?? '\0'));
  const exists = objectsIn(facts, 'ConfigMap', facts.place('tempo').namespace).some(
    (map) => at(map, 'data', name) !== undefined,
  );
  if (mounted && exists) return ok(`${files[0]} is mounted`);
  return fail(`the overrides file ${files[0]} is ${mounted ? 'in no ConfigMap' : 'not mounted'}`, {
    cause: 'Tempo does not start without a file that its configuration names',
    fix: 'remove overrides.per_tenant_override_config: genai-obs install',
    object: configObject(facts, 'tempo'),
  });
}

function serviceMap(facts: Facts): Verdict {
  const [calls, graph, accepted] = [scalar(facts, CALLS), scalar(facts, GRAPH), scalar(facts, ACCEPTED)];
  const config = facts.running('tempo');
  const generator =
    JSON.stringify(at(config, 'overrides') ?? '').includes('service-graphs') &&
    listAt(config, 'metrics_generator', 'storage', 'remote_write').length > 0;
  const more = {
    fix: 'genai-obs install   # connector of the gateway, generator of Tempo',
    object: configObject(facts, 'tempo'),
  };
  if (!generator)
    return warn("Tempo's metrics generator has no service-graphs processor or no remote write", {
      cause: 'the service map has no source',
      ...more,
    });
  if (calls)
    return ok(
      `${calls} series of span metrics, ${graph ?? 0} of the service graph${graph ? '' : ' (it needs calls between services)'}`,
    );
  if (!accepted) return ok('configured; no application has sent traces in 15 min');
  if (settledFor(facts) < 300) return skip('the stack has just started: span metrics appear within a minute');
  return warn(`spans arrive (${rate(accepted)}) and there are no span metrics`, {
    cause: 'the spanmetrics connector is missing in the gateway, or its metrics do not reach Prometheus',
    ...more,
  });
}

export const tempoChecks: Check[] = [
  tempo('01', 'Tempo is ready', {
    about:
      'The workload of Tempo must have its pod ready; without it no traces are stored or shown, and the gateway keeps them in its queue until that is full. The finding names the cause: an unbound claim, an image, memory, or the line with which Tempo ended.',
    sources: '003-TEMPO-01, 004-P3-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-07'],
    reads: workloadReads('tempo'),
    run: (facts) => workloadVerdict(facts, 'tempo'),
  }),
  tempo('02', 'Tempo answers ready', {
    about:
      'Asks /ready through the API server: it answers 200 when all modules of Tempo run. Shortly after a start it says what it waits for, which only warns.',
    sources: '001-CHK-04, 001-PORT-04, 004-P3-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01', 'TEMPO-03'],
    reads: [http('/ready')],
    run: (facts) => readyVerdict(facts, 'tempo', ['/ready'], /not ready: waiting|Some services are not Running/i),
  }),
  tempo('03', 'Nothing is in the way to Tempo', {
    about:
      'The Service tempo must have ports 3200, 4317 and 4318 that lead to the pods, and no NetworkPolicy may keep the gateway from 4317 or Grafana from 3200. Policies are read and judged as a network plugin does; the finding names the one that blocks.',
    sources: '001-CFG-10, 001-TEMPO-02, 003-TEMPO-01',
    needs: ['tempo'],
    dependsOn: [POLICIES],
    reads: [...serviceReads('tempo'), REACH_READS],
    run: (facts) => {
      const service = serviceVerdict(facts, 'tempo', [3200, 4317, 4318]);
      return service.status === 'ok' ? reachVerdict(facts, 'tempo', [4317, 3200]) : service;
    },
  }),
  tempo('04', 'Tempo receives spans', {
    about:
      'Rate of spans that Tempo receives over 15 minutes, against what the gateway sends it. Tempo silent while the gateway sends is a break between them. No spans on either side is told and is no fault: traces come from applications only, and sampling may keep few.',
    sources: '000-SELF-03',
    needs: ['tempo', 'prometheus'],
    dependsOn: [...UP, ...PROMETHEUS, 'TEMPO-03', 'COL-18'],
    reads: [...CLOCK_READS, ...promql(SPANS, SPANS_EVER, SENT)],
    run: received,
  }),
  tempo('05', 'Traces can be found', {
    about:
      'Searches Tempo for recent traces and names the services they begin in. An error of the search fails. Spans that arrive while no trace can be found warn; no spans at all is told, and then applications need instrumentation or the right endpoint.',
    sources: '001-SDK-04, 002-QRY-01, 003-INST-02',
    needs: ['tempo'],
    dependsOn: [...UP, 'TEMPO-04'],
    reads: (config) => [...CLOCK_READS, http(SEARCH), ...(config.prometheus.enabled ? promql(SPANS) : [])],
    run: search,
  }),
  tempo('06', 'Traces are kept as planned, on a durable volume', {
    about:
      "Retention of Tempo's blocks against tempo.retention, and where they lie: the claim tempo-data must be bound and less than 70 % full, from 85 % it fails; an emptyDir warns, since traces go with the pod. Re-apply the profile, shorten the retention or grow the volume.",
    sources: '001-TEMPO-04, 001-TEMPO-05, 003-TEMPO-02, 003-TEMPO-04, 004-MNT-03, 004-P1-03, 004-P1-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01'],
    reads: [...CLAIM_READS, fact.running('tempo'), fact.workloads('tempo')],
    run: retention,
  }),
  tempo('07', 'Files that the configuration of Tempo names exist', {
    about:
      'Tempo ends at start when overrides name a file that is not mounted. The check looks for such a reference and for the ConfigMap and mount behind it; without a reference nothing is needed.',
    sources: '003-TEMPO-03',
    needs: ['tempo'],
    reads: [fact.running('tempo'), fact.objects('ConfigMap'), fact.pods(), fact.workloads('tempo')],
    run: overrides,
  }),
  tempo('08', 'The object storage of traces answers', {
    about:
      'With a backend such as S3 Tempo needs bucket, region and credentials, and says so in its log when they do not work. With local storage, as in quickstart, there is nothing to reach.',
    sources: '000-HA-02, 000-INST-10',
    needs: ['tempo'],
    dependsOn: UP,
    reads: [fact.running('tempo'), fact.logs('tempo')],
    run: (facts) => {
      const backend = textAt(facts.running('tempo'), 'storage', 'trace', 'backend');
      if (!backend) throw new FactUnavailable('the configuration of Tempo names no backend');
      if (backend === 'local') return skip('traces lie on a volume (backend local), not in object storage');
      const bad = Object.values(facts.logs('tempo'))
        .flat()
        .filter(
          (line) => /level=error/.test(line) && /bucket|AccessDenied|SignatureDoesNotMatch|backend|s3|gcs/i.test(line),
        );
      if (bad[0])
        return fail(`${plural(bad.length, 'line')} about ${backend}: ${oneLine(bad.at(-1) ?? '', 200)}`, {
          cause: 'bucket, region or credentials',
          fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} | grep level=error`,
          object: OBJECT(facts),
        });
      return ok(`no error about ${backend} in the last 200 lines`);
    },
  }),
  tempo('09', 'The service map has its metrics', {
    about:
      "Grafana draws the service map from traces_service_graph_* of Tempo's metrics generator, and rates from traces_span_metrics_* of the gateway. The generator must be configured; once spans arrive, span metrics must exist. The service graph needs calls from one service to another.",
    sources: '001-DS-03',
    needs: ['tempo', 'prometheus', GATEWAY],
    dependsOn: [...UP, ...PROMETHEUS, 'PROM-07', 'PROM-08', 'COL-18', 'COL-02'],
    reads: [...CLOCK_READS, fact.running('tempo'), ...promql(CALLS, GRAPH, ACCEPTED)],
    run: serviceMap,
  }),
];

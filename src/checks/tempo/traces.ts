import { bodyText } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { at, listAt, textAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import { GATEWAY } from '../lib/collectors.ts';
import { workloadObject, configObject, resourceOf } from '../lib/place.ts';
import { rate, scalar } from '../lib/promql.ts';
import { CLOCK_READS, settledFor } from '../lib/time.ts';

const tempo = checksOf('TEMPO');

const SPANS = 'sum(rate(tempo_distributor_spans_received_total[15m]))';

const SPANS_EVER = 'sum(tempo_distributor_spans_received_total)';

const SENT = 'sum(rate({__name__=~"otelcol_exporter_sent_spans(_total)?",exporter=~".*tempo.*"}[15m]))';

const CALLS = 'count(traces_span_metrics_calls_total)';

const GRAPH = 'count(traces_service_graph_request_total)';

const ACCEPTED = 'sum(rate({__name__=~"otelcol_receiver_accepted_spans(_total)?"}[15m]))';

// Without a time range Tempo searches only its ingesters: the last minutes.
const SEARCH = '/api/search?limit=20';

function received(facts: Facts): Verdict {
  const [spans, ever, sent] = [scalar(facts, SPANS), scalar(facts, SPANS_EVER), scalar(facts, SENT)];
  if (spans) return ok(rate(spans, 'spans'));
  const settled = settledFor(facts);
  if (settled < 120) return skip(`the stack started ${formatDuration(settled)} ago: no rates yet`);
  if (sent)
    return fail(`the gateway sends ${rate(sent, 'spans')}, but Tempo has received none in 15 min`, {
      cause: 'the exporter sends to another address, or Tempo rejects all spans',
      fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep tempo`,
      object: workloadObject(facts, 'tempo'),
    });
  return ok(`no application has sent traces in 15 min${ever ? `; ${ever} spans since Tempo started` : ''}`);
}

function search(facts: Facts): Verdict {
  const answer = facts.http('tempo', SEARCH);
  if (answer.status !== 200) {
    return fail(`a search returned ${answer.status}: ${bodyText(answer.body)}`, {
      cause: 'the querier or the storage of Tempo fails',
      fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} --tail=50`,
      object: workloadObject(facts, 'tempo'),
    });
  }
  const traces = listAt(answer.body, 'traces');
  const services = [...new Set(traces.map((trace) => textAt(trace, 'rootServiceName') ?? '?'))];
  if (traces.length) return ok(`${plural(traces.length, 'recent trace')} found, from ${list(services)}`);
  const spans = facts.config.prometheus.enabled ? (scalar(facts, SPANS) ?? 0) : 0;
  if (!spans) return ok('search works; no application has sent traces in 15 min');
  if (settledFor(facts) < 300)
    return skip('the stack has just started: traces are searchable a few seconds after their last span');
  return warn(`Tempo receives ${rate(spans, 'spans')}, but a search finds no trace`, {
    cause: 'Tempo does not flush traces, or search is disabled',
    fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} --tail=50`,
    object: workloadObject(facts, 'tempo'),
  });
}

function serviceMap(facts: Facts): Verdict {
  const [calls, graph, accepted] = [scalar(facts, CALLS), scalar(facts, GRAPH), scalar(facts, ACCEPTED)];
  const config = facts.running('tempo');
  const generator =
    JSON.stringify(at(config, 'overrides') ?? '').includes('service-graphs') &&
    listAt(config, 'metrics_generator', 'storage', 'remote_write').length > 0;
  const more = {
    fix: 'genai-obs install   # restores the gateway connector and the Tempo generator',
    object: configObject(facts, 'tempo'),
  };
  if (!generator)
    return warn("Tempo's metrics generator has no service-graphs processor or no remote_write", {
      cause: 'the service map has no metrics to draw',
      ...more,
    });
  if (calls)
    return ok(
      `${calls} series of span metrics, ${graph ?? 0} of the service graph` +
        (graph ? '' : ' (it needs calls between services)'),
    );
  if (!accepted) return ok('configured; no application has sent traces in 15 min');
  if (settledFor(facts) < 300) return skip('the stack has just started: span metrics appear within a minute');
  return warn(`spans arrive (${rate(accepted)}), but there are no span metrics`, {
    cause: 'the spanmetrics connector is missing in the gateway, or its metrics do not reach Prometheus',
    ...more,
  });
}

export const traceChecks: Check[] = [
  tempo('04', 'Tempo receives spans', {
    about:
      'Compares the spans that Tempo receives with those that the gateway sends, over 15 minutes. ' +
      'Failed: the gateway sends and Tempo receives nothing. No spans on either side is ok: only ' +
      'applications send traces, and sampling may keep few.',
    sources: '000-SELF-03',
    needs: ['tempo', 'prometheus'],
    dependsOn: ['TEMPO-01', 'TEMPO-02', 'PROM-01', 'PROM-03', 'PROM-04', 'TEMPO-03', 'COL-18'],
    reads: [...CLOCK_READS, fact.promql(SPANS), fact.promql(SPANS_EVER), fact.promql(SENT)],
    run: received,
  }),
  tempo('05', 'Traces can be found', {
    about:
      'Searches Tempo for recent traces and names the services of their root spans. Failed: the ' +
      'search returns an error. Warning: spans arrive but no trace is found. No spans at all is ' +
      'ok: instrument the applications or correct their endpoint.',
    sources: '001-SDK-04, 002-QRY-01, 003-INST-02',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01', 'TEMPO-02', 'TEMPO-04'],
    reads: (config) => [
      ...CLOCK_READS,
      fact.http('tempo', SEARCH),
      ...(config.prometheus.enabled ? [fact.promql(SPANS)] : []),
    ],
    run: search,
  }),
  tempo('09', 'The service map has its metrics', {
    about:
      "Grafana draws the service map from traces_service_graph_* of Tempo's metrics generator. The " +
      'rates come from traces_span_metrics_* of the gateway. Warning: the generator is not ' +
      'configured, or spans arrive but span metrics do not exist. The service graph needs calls ' +
      'from one service to another.',
    sources: '001-DS-03',
    needs: ['tempo', 'prometheus', GATEWAY],
    dependsOn: ['TEMPO-01', 'TEMPO-02', 'PROM-01', 'PROM-03', 'PROM-04', 'PROM-07', 'PROM-08', 'COL-18', 'COL-02'],
    reads: [...CLOCK_READS, fact.running('tempo'), fact.promql(CALLS), fact.promql(GRAPH), fact.promql(ACCEPTED)],
    run: serviceMap,
  }),
];

import { AGAIN, LIST, LOGIN, MAP_OBJECT } from './datasources.ts';
import { grafanaBodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, noTraces, ok, warn, fail } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { at, mapAt, listAt, textAt, leaves } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { traceStore } from '../../parts/addresses.ts';
import { filtersOf, withoutVariables } from '../lib/query.ts';

const graf = checksOf('GRAF');

/** uids in the links of a datasource. */
function links(source: unknown): { from: string; field: string; uid: string }[] {
  return leaves(mapAt(source, 'jsonData'))
    .filter(({ path }) => path.endsWith('datasourceUid'))
    .map(({ path, text }) => ({ from: textAt(source, 'name') ?? '?', field: path.split('.')[0] ?? path, uid: text }));
}

function linksResolve(facts: Facts): Verdict {
  const live = listAt(grafanaBodyOf(facts, LIST));
  const uids = new Set(live.map((one) => textAt(one, 'uid') ?? ''));
  const all = live.flatMap(links);
  const dangling = all.filter(({ uid }) => !uids.has(uid));
  if (dangling.length)
    return fail(
      `links to missing datasources: ${list(dangling.map(({ from, field, uid }) => `${from} ${field} → ${uid}`))}`,
      {
        cause: 'the uid of a datasource differs from that in the links',
        fix: AGAIN,
        object: MAP_OBJECT(facts),
      },
    );
  return ok(`${plural(all.length, 'link')} between ${plural(live.length, 'datasource')} resolve`);
}

/** Links between logs and traces in both directions, in the running Grafana. */
function correlation(facts: Facts): Verdict {
  const live = listAt(grafanaBodyOf(facts, LIST));
  const store = traceStore(facts.config) ?? 'tempo';
  const of = (uid: string) =>
    mapAt(
      live.find((one) => textAt(one, 'uid') === uid),
      'jsonData',
    );
  const fields = listAt(of('loki'), 'derivedFields').filter((field) => textAt(field, 'datasourceUid') === store);
  const byLabel = fields.some(
    (field) => textAt(field, 'matcherType') === 'label' && patternFits(textAt(field, 'matcherRegex'), 'trace_id'),
  );
  const byText = fields.some(
    (field) =>
      textAt(field, 'matcherType') !== 'label' &&
      patternFits(textAt(field, 'matcherRegex'), 'trace_id=4bf92f3577b34da6a3ce929d0e0e4736'),
  );
  const back = mapAt(of(store), 'tracesToLogsV2');
  const query = textAt(back, 'query') ?? '';
  const backWorks =
    back['datasourceUid'] === 'loki' &&
    (back['customQuery'] !== true || filtersOf(withoutVariables(query)).some((filter) => /trace/i.test(filter))) &&
    (back['customQuery'] === true || back['filterByTraceID'] === true);
  const missing = [
    fields.length && (byLabel || byText) ? '' : 'log → trace (derivedFields of Loki)',
    byLabel || !fields.length ? '' : 'trace IDs of OTLP logs (a derived field of type label)',
    backWorks ? '' : `trace → logs (tracesToLogsV2 of ${facts.place(store).title})`,
  ].filter(Boolean);
  if (missing.length)
    return warn(`not working: ${missing.join(', ')}`, {
      cause: 'the datasource has no link, or its pattern does not match a trace ID',
      fix: AGAIN,
      object: MAP_OBJECT(facts),
    });
  return ok('log → trace by label trace_id and by text, trace → logs by trace ID');
}

function patternFits(pattern: string | undefined, text: string): boolean {
  try {
    return pattern !== undefined && new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

export const linkChecks: Check[] = [
  graf('09', 'Links between datasources resolve', {
    about:
      'Reads the datasources of the running Grafana. Derived fields, exemplars, trace to logs, trace to metrics ' +
      'and the service map refer to datasources by uid. Failed: a uid does not exist, and Grafana hides the link ' +
      'without a message. Run `genai-obs install`.',
    sources: '001-DS-02, 001-DS-03, 001-DS-04, 004-P4-03',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-06', 'GRAF-07'],
    reads: [fact.grafana(LIST)],
    run: linksResolve,
  }),
  graf('10', 'Logs link to traces and traces to logs', {
    about:
      'Checks the datasources of the running Grafana. The derived fields of Loki must match a trace ID in ' +
      'structured metadata and in text. The link of Tempo or Jaeger must query logs by trace ID. Warning: one ' +
      'direction is missing. The end-to-end probe follows a real log line to its trace.',
    sources: '001-CHK-11, 004-P4-03',
    needs: ['grafana', 'loki'],
    skipIf: noTraces,
    dependsOn: [...LOGIN, 'GRAF-06', 'GRAF-07', 'GRAF-09'],
    reads: [fact.grafana(LIST)],
    run: (facts) => {
      if (at(facts.grafana(LIST), 'status') !== 200) throw new FactUnavailable('Grafana does not list its datasources');
      return correlation(facts);
    },
  }),
];

import { grafanaBodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, noTraces, ok, warn, fail } from '../lib/check.ts';
import { FactUnavailable, type FactRef, fact, type Facts } from '../lib/facts.ts';
import { workloadOf } from '../lib/objects.ts';
import { at, mapAt, listAt, textAt, leaves } from '../../core/json.ts';
import { oneLine, plural, list } from '../../core/text.ts';
import { parse } from 'yaml';
import { traceStore } from '../../parts/addresses.ts';
import type { Config } from '../../profile/schema.ts';
import { filtersOf, withoutVariables } from '../lib/query.ts';
import { hostAndPort, meansService, resourceOf, urlFor, workloadObject } from '../lib/place.ts';

const graf = checksOf('GRAF');
const MAP = 'grafana-datasources';
const BACKENDS = ['prometheus', 'loki', 'tempo', 'jaeger'] as const;
const LIST = '/api/datasources';
const UP = '/api/datasources/proxy/uid/prometheus/api/v1/query?query=up';
const LOGIN = ['GRAF-01', 'GRAF-02', 'GRAF-04', 'GRAF-05'];
const AGAIN = 'genai-obs install   # phase datasources';

type Backend = (typeof BACKENDS)[number];

export function backends(config: Config): Backend[] {
  return BACKENDS.filter((id) => config[id].enabled);
}

/** Before Grafana 12 the browser alone spoke to Jaeger, and there was no health to ask for: its API through Grafana tells the same in all versions. */
function health(id: Backend): string {
  return id === 'jaeger' ? '/api/datasources/proxy/uid/jaeger/api/services' : `/api/datasources/uid/${id}/health`;
}

function healthy(id: Backend, { status, body }: { status: number; body: unknown }): boolean {
  return status === 200 && (id === 'jaeger' ? at(body, 'data') !== undefined : textAt(body, 'status') === 'OK');
}

/** As Grafana reaches the backend from its own namespace. */
function urlOf(facts: Facts, id: Backend): string {
  return urlFor(facts.place(id), facts.place('grafana').namespace);
}

function leadsTo(facts: Facts, url: string, id: Backend): boolean {
  const { host, port } = hostAndPort(url);
  const place = facts.place(id);
  return meansService(host, place, facts.place('grafana').namespace) && port === place.service.port;
}

const MAP_OBJECT = (facts: Facts) => `ConfigMap ${facts.place('grafana').namespace}/${MAP}`;

/** Datasources of the ConfigMap; throws what the YAML parser says. */
function provisioned(facts: Facts): unknown[] {
  const map = facts.find('ConfigMap', MAP, facts.place('grafana').namespace);
  return Object.entries(mapAt(map, 'data'))
    .filter(([key]) => /\.ya?ml$/.test(key))
    .flatMap(([, text]) => listAt(parse(String(text), { logLevel: 'error' }), 'datasources'));
}

function configMap(facts: Facts): Verdict {
  const object = MAP_OBJECT(facts);
  if (!facts.find('ConfigMap', MAP, facts.place('grafana').namespace))
    return fail(`ConfigMap ${MAP} does not exist`, {
      cause: 'it was deleted; Grafana forgets its datasources at the next start',
      fix: AGAIN,
      object,
    });
  let found: unknown[];
  try {
    found = provisioned(facts);
  } catch (error) {
    return fail(
      `ConfigMap ${MAP} is no YAML: ${oneLine(error instanceof Error ? error.message : String(error), 160)}`,
      {
        cause: 'it was edited by hand',
        fix: AGAIN,
        object,
      },
    );
  }
  const uids = found.map((one) => textAt(one, 'uid') ?? '');
  const missing = backends(facts.config).filter((id) => !uids.includes(id));
  if (missing.length)
    return fail(`${MAP} lacks the datasource${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`, {
      cause: 'it was edited by hand',
      fix: AGAIN,
      object,
    });
  const incomplete = found
    .filter((one) => !textAt(one, 'uid') || !textAt(one, 'url') || !textAt(one, 'type'))
    .map((one) => textAt(one, 'name') ?? '?');
  if (incomplete.length)
    return fail(`${list(incomplete)} in ${MAP} lack uid, url or type`, {
      cause: 'it was edited by hand',
      fix: AGAIN,
      object,
    });
  const mounted = listAt(workloadOf(facts, 'grafana'), 'spec', 'template', 'spec', 'volumes').some(
    (one) => textAt(one, 'configMap', 'name') === MAP,
  );
  if (!mounted)
    return fail(
      `the ${facts.place('grafana').workload.kind} ${facts.place('grafana').workload.name} does not mount ${MAP}`,
      {
        cause: 'the workload was changed',
        fix: 'genai-obs install',
        object: workloadObject(facts, 'grafana'),
      },
    );
  return ok(`${plural(found.length, 'datasource')} in ${MAP}, mounted: ${uids.join(', ')}`);
}

function everyDatasource(facts: Facts): Verdict {
  const live = listAt(grafanaBodyOf(facts, LIST));
  const good: string[] = [];
  const kubectl = facts.kubectlFor('grafana');
  const grafana = resourceOf(facts, 'grafana');
  for (const id of backends(facts.config)) {
    const source = live.find((one) => textAt(one, 'uid') === id);
    const object = MAP_OBJECT(facts);
    if (!source)
      return fail(
        `Grafana has no datasource with uid ${id}; it has ${list(live.map((one) => textAt(one, 'uid') ?? '?')) || 'none'}`,
        {
          cause: 'it was not provisioned, or under another uid',
          fix: `${AGAIN}; then: ${kubectl} rollout restart ${grafana}`,
          object,
        },
      );
    const answer = facts.grafana(health(id));
    if (healthy(id, answer)) {
      good.push(textAt(source, 'name') ?? id);
      continue;
    }
    const url = textAt(source, 'url') ?? '';
    const said = oneLine(textAt(answer.body, 'message') ?? JSON.stringify(answer.body ?? ''), 160);
    const { title } = facts.place(id);
    const wrong = !leadsTo(facts, url, id);
    return fail(
      `datasource ${textAt(source, 'name') ?? id} at ${url} answers ${answer.status}: ${said}${wrong ? `; its URL should be ${urlOf(facts, id)}` : ''}`,
      {
        cause: wrong ? `the URL ${url} does not lead to ${title}` : `Grafana does not get through to ${title}`,
        fix: wrong
          ? `genai-obs install   # sets the URL back to ${urlOf(facts, id)}; then: ${kubectl} rollout restart ${grafana}`
          : `${kubectl} logs ${grafana} --tail=50`,
        object,
      },
    );
  }
  return ok(`${good.join(', ')} answer OK`);
}

function queryUp(facts: Facts): Verdict {
  const answer = facts.grafana(UP);
  const count = listAt(answer.body, 'data', 'result').length;
  if (answer.status === 200 && textAt(answer.body, 'status') === 'success') {
    if (count) return ok(`query up through the datasource: ${plural(count, 'series')}`);
    return warn('query up through the datasource: no series', {
      cause: 'Prometheus has no targets yet',
      fix: `${facts.kubectlFor('prometheus')} get pods   # then PROM-04`,
    });
  }
  return fail(
    `query up through the datasource answers ${answer.status}: ${oneLine(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? ''), 160)}`,
    {
      cause: 'Grafana does not get through to Prometheus',
      fix: `${facts.kubectlFor('grafana')} logs ${resourceOf(facts, 'grafana')} --tail=50`,
      object: MAP_OBJECT(facts),
    },
  );
}

/** uids that links between datasources name. */
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
      `links that lead nowhere: ${list(dangling.map(({ from, field, uid }) => `${from} ${field} → ${uid}`))}`,
      {
        cause: 'a datasource has another uid than its links say',
        fix: AGAIN,
        object: MAP_OBJECT(facts),
      },
    );
  return ok(`${plural(all.length, 'link')} between ${plural(live.length, 'datasource')} resolve`);
}

/** Both ways between logs and traces, as the datasources are configured in the running Grafana. */
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
    byLabel || !fields.length ? '' : 'trace ids of OTLP logs (a derived field of type label)',
    backWorks ? '' : `trace → logs (tracesToLogsV2 of ${facts.place(store).title})`,
  ].filter(Boolean);
  if (missing.length)
    return warn(`not working: ${missing.join(', ')}`, {
      cause: 'the datasource lacks the link, or its pattern does not find a trace id',
      fix: AGAIN,
      object: MAP_OBJECT(facts),
    });
  return ok('log → trace by label trace_id and by text, trace → logs by trace id');
}

function patternFits(pattern: string | undefined, text: string): boolean {
  try {
    return pattern !== undefined && new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

export const datasourceChecks: Check[] = [
  graf('06', 'Datasources are provisioned from a ConfigMap', {
    about:
      'The ConfigMap grafana-datasources must exist, parse, name every enabled backend with uid, type and URL, and be mounted by Grafana. Datasources made by hand are lost with the database. `genai-obs install` writes it again.',
    sources: '000-TRB-06, 001-GRAF-07, 004-TRB-11',
    needs: ['grafana'],
    reads: [fact.objects('ConfigMap'), fact.workloads('grafana')],
    run: configMap,
  }),
  graf('07', 'Every datasource works', {
    about:
      'Asks Grafana for the health of the datasources prometheus, loki and tempo (of jaeger for its services, through Grafana), so that the way from Grafana to the backend is tried and not only the backend. The finding names the datasource, its URL and, where it differs, the URL it should have.',
    sources: '001-CHK-05, 001-DS-01, 001-PRIN-02, 003-ARCH-03, 004-P4-02',
    needs: ['grafana'],
    dependsOn: [
      ...LOGIN,
      'GRAF-06',
      'PROM-01',
      'LOKI-01',
      'TEMPO-01',
      'PROM-02',
      'PROM-03',
      'LOKI-02',
      'TEMPO-02',
      'PROM-08',
      'LOKI-05',
      'TEMPO-03',
      'JAEG-01',
      'JAEG-03',
    ],
    reads: (config) => [fact.grafana(LIST), ...backends(config).map((id): FactRef => fact.grafana(health(id)))],
    run: everyDatasource,
  }),
  graf('08', 'Grafana can query Prometheus', {
    about:
      "Runs the query `up` through Grafana's datasource proxy: the same way that every panel takes. Success with series passes, an empty answer warns, an error fails.",
    sources: '000-TRB-07, 004-TRB-10',
    needs: ['grafana', 'prometheus'],
    dependsOn: [...LOGIN, 'GRAF-07', 'PROM-01', 'PROM-03', 'PROM-08'],
    reads: [fact.grafana(UP)],
    run: queryUp,
  }),
  graf('09', 'Links between datasources resolve', {
    about:
      'Derived fields, exemplars, trace to logs, trace to metrics and the service map name datasources by uid. A uid that does not exist makes the link disappear without a message. Reads what the running Grafana has.',
    sources: '001-DS-02, 001-DS-03, 001-DS-04, 004-P4-03',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-06', 'GRAF-07'],
    reads: [fact.grafana(LIST)],
    run: linksResolve,
  }),
  graf('10', 'Logs lead to traces and traces to logs', {
    about:
      "Looks whether Loki's derived fields recognise a trace id, as structured metadata of OTLP logs and in text, and whether the link of Tempo, or Jaeger, builds a query by trace id. One missing direction warns. It reads the configuration in the running Grafana; the end-to-end probe follows a real log line to its trace.",
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

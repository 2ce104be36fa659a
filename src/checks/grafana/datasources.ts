import { parse } from 'yaml';
import { type Check, CouldNotLook, fail, type FactKey, type Look, ok, type Verdict, warn } from '../../doctor/types.ts';
import { traceStore } from '../../parts/addresses.ts';
import type { Config } from '../../profile/schema.ts';
import { checksOf, grafanaBody, noTraces, oneLine, plural, some } from '../helpers/define.ts';
import { arr, at, leaves, rec, str } from '../helpers/json.ts';
import { hostAndPort, meansService, resourceOf, urlFor, workloadObject } from '../helpers/place.ts';
import { workloadKey, workloadOf } from '../helpers/pods.ts';

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
  return status === 200 && (id === 'jaeger' ? at(body, 'data') !== undefined : str(body, 'status') === 'OK');
}

/** As Grafana reaches the backend from its own namespace. */
function urlOf(look: Look, id: Backend): string {
  return urlFor(look.place(id), look.place('grafana').namespace);
}

function leadsTo(look: Look, url: string, id: Backend): boolean {
  const { host, port } = hostAndPort(url);
  const place = look.place(id);
  return meansService(host, place, look.place('grafana').namespace) && port === place.service.port;
}

const MAP_OBJECT = (look: Look) => `ConfigMap ${look.place('grafana').namespace}/${MAP}`;

/** Datasources of the ConfigMap; throws what the YAML parser says. */
function provisioned(look: Look): unknown[] {
  const map = look.find('ConfigMap', MAP, look.place('grafana').namespace);
  return Object.entries(rec(map, 'data'))
    .filter(([key]) => /\.ya?ml$/.test(key))
    .flatMap(([, text]) => arr(parse(String(text), { logLevel: 'error' }), 'datasources'));
}

function configMap(look: Look): Verdict {
  const object = MAP_OBJECT(look);
  if (!look.find('ConfigMap', MAP, look.place('grafana').namespace))
    return fail(`ConfigMap ${MAP} does not exist`, {
      cause: 'it was deleted; Grafana forgets its datasources at the next start',
      fix: AGAIN,
      object,
    });
  let found: unknown[];
  try {
    found = provisioned(look);
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
  const uids = found.map((one) => str(one, 'uid') ?? '');
  const missing = backends(look.config).filter((id) => !uids.includes(id));
  if (missing.length)
    return fail(`${MAP} lacks the datasource${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`, {
      cause: 'it was edited by hand',
      fix: AGAIN,
      object,
    });
  const incomplete = found
    .filter((one) => !str(one, 'uid') || !str(one, 'url') || !str(one, 'type'))
    .map((one) => str(one, 'name') ?? '?');
  if (incomplete.length)
    return fail(`${some(incomplete)} in ${MAP} lack uid, url or type`, {
      cause: 'it was edited by hand',
      fix: AGAIN,
      object,
    });
  const mounted = arr(workloadOf(look, 'grafana'), 'spec', 'template', 'spec', 'volumes').some(
    (one) => str(one, 'configMap', 'name') === MAP,
  );
  if (!mounted)
    return fail(
      `the ${look.place('grafana').workload.kind} ${look.place('grafana').workload.name} does not mount ${MAP}`,
      {
        cause: 'the workload was changed',
        fix: 'genai-obs install',
        object: workloadObject(look, 'grafana'),
      },
    );
  return ok(`${plural(found.length, 'datasource')} in ${MAP}, mounted: ${uids.join(', ')}`);
}

function everyDatasource(look: Look): Verdict {
  const live = arr(grafanaBody(look, LIST));
  const good: string[] = [];
  const kubectl = look.kubectlFor('grafana');
  const grafana = resourceOf(look, 'grafana');
  for (const id of backends(look.config)) {
    const source = live.find((one) => str(one, 'uid') === id);
    const object = MAP_OBJECT(look);
    if (!source)
      return fail(
        `Grafana has no datasource with uid ${id}; it has ${some(live.map((one) => str(one, 'uid') ?? '?')) || 'none'}`,
        {
          cause: 'it was not provisioned, or under another uid',
          fix: `${AGAIN}; then: ${kubectl} rollout restart ${grafana}`,
          object,
        },
      );
    const answer = look.grafana(health(id));
    if (healthy(id, answer)) {
      good.push(str(source, 'name') ?? id);
      continue;
    }
    const url = str(source, 'url') ?? '';
    const said = oneLine(str(answer.body, 'message') ?? JSON.stringify(answer.body ?? ''), 160);
    const { title } = look.place(id);
    const wrong = !leadsTo(look, url, id);
    return fail(
      `datasource ${str(source, 'name') ?? id} at ${url} answers ${answer.status}: ${said}${wrong ? `; its URL should be ${urlOf(look, id)}` : ''}`,
      {
        cause: wrong ? `the URL ${url} does not lead to ${title}` : `Grafana does not get through to ${title}`,
        fix: wrong
          ? `genai-obs install   # sets the URL back to ${urlOf(look, id)}; then: ${kubectl} rollout restart ${grafana}`
          : `${kubectl} logs ${grafana} --tail=50`,
        object,
      },
    );
  }
  return ok(`${good.join(', ')} answer OK`);
}

function queryUp(look: Look): Verdict {
  const answer = look.grafana(UP);
  const count = arr(answer.body, 'data', 'result').length;
  if (answer.status === 200 && str(answer.body, 'status') === 'success') {
    if (count) return ok(`query up through the datasource: ${plural(count, 'series')}`);
    return warn('query up through the datasource: no series', {
      cause: 'Prometheus has no targets yet',
      fix: `${look.kubectlFor('prometheus')} get pods   # then PROM-04`,
    });
  }
  return fail(
    `query up through the datasource answers ${answer.status}: ${oneLine(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? ''), 160)}`,
    {
      cause: 'Grafana does not get through to Prometheus',
      fix: `${look.kubectlFor('grafana')} logs ${resourceOf(look, 'grafana')} --tail=50`,
      object: MAP_OBJECT(look),
    },
  );
}

/** uids that links between datasources name. */
function links(source: unknown): { from: string; field: string; uid: string }[] {
  return leaves(rec(source, 'jsonData'))
    .filter(({ path }) => path.endsWith('datasourceUid'))
    .map(({ path, text }) => ({ from: str(source, 'name') ?? '?', field: path.split('.')[0] ?? path, uid: text }));
}

function linksResolve(look: Look): Verdict {
  const live = arr(grafanaBody(look, LIST));
  const uids = new Set(live.map((one) => str(one, 'uid') ?? ''));
  const all = live.flatMap(links);
  const dangling = all.filter(({ uid }) => !uids.has(uid));
  if (dangling.length)
    return fail(
      `links that lead nowhere: ${some(dangling.map(({ from, field, uid }) => `${from} ${field} → ${uid}`))}`,
      {
        cause: 'a datasource has another uid than its links say',
        fix: AGAIN,
        object: MAP_OBJECT(look),
      },
    );
  return ok(`${plural(all.length, 'link')} between ${plural(live.length, 'datasource')} resolve`);
}

/** Both ways between logs and traces, as the datasources are configured in the running Grafana. */
function correlation(look: Look): Verdict {
  const live = arr(grafanaBody(look, LIST));
  const store = traceStore(look.config) ?? 'tempo';
  const of = (uid: string) =>
    rec(
      live.find((one) => str(one, 'uid') === uid),
      'jsonData',
    );
  const fields = arr(of('loki'), 'derivedFields').filter((field) => str(field, 'datasourceUid') === store);
  const byLabel = fields.some(
    (field) => str(field, 'matcherType') === 'label' && patternFits(str(field, 'matcherRegex'), 'trace_id'),
  );
  const byText = fields.some(
    (field) =>
      str(field, 'matcherType') !== 'label' &&
      patternFits(str(field, 'matcherRegex'), 'trace_id=4bf92f3577b34da6a3ce929d0e0e4736'),
  );
  const back = rec(of(store), 'tracesToLogsV2');
  const query = str(back, 'query') ?? '';
  const backWorks =
    back['datasourceUid'] === 'loki' &&
    (back['customQuery'] !== true || /trace/i.test(query)) &&
    (back['customQuery'] === true || back['filterByTraceID'] === true);
  const missing = [
    fields.length && (byLabel || byText) ? '' : 'log → trace (derivedFields of Loki)',
    byLabel || !fields.length ? '' : 'trace ids of OTLP logs (a derived field of type label)',
    backWorks ? '' : `trace → logs (tracesToLogsV2 of ${look.place(store).title})`,
  ].filter(Boolean);
  if (missing.length)
    return warn(`not working: ${missing.join(', ')}`, {
      cause: 'the datasource lacks the link, or its pattern does not find a trace id',
      fix: AGAIN,
      object: MAP_OBJECT(look),
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
    reads: ['k8s:ConfigMap', workloadKey('grafana')],
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
    reads: (config) => [`grafana:${LIST}`, ...backends(config).map((id): FactKey => `grafana:${health(id)}`)],
    run: everyDatasource,
  }),
  graf('08', 'Grafana can query Prometheus', {
    about:
      "Runs the query `up` through Grafana's datasource proxy: the same way that every panel takes. Success with series passes, an empty answer warns, an error fails.",
    sources: '000-TRB-07, 004-TRB-10',
    needs: ['grafana', 'prometheus'],
    dependsOn: [...LOGIN, 'GRAF-07', 'PROM-01', 'PROM-03', 'PROM-08'],
    reads: [`grafana:${UP}`],
    run: queryUp,
  }),
  graf('09', 'Links between datasources resolve', {
    about:
      'Derived fields, exemplars, trace to logs, trace to metrics and the service map name datasources by uid. A uid that does not exist makes the link disappear without a message. Reads what the running Grafana has.',
    sources: '001-DS-02, 001-DS-03, 001-DS-04, 004-P4-03',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-06', 'GRAF-07'],
    reads: [`grafana:${LIST}`],
    run: linksResolve,
  }),
  graf('10', 'Logs lead to traces and traces to logs', {
    about:
      "Looks whether Loki's derived fields recognise a trace id, as structured metadata of OTLP logs and in text, and whether the link of Tempo, or Jaeger, builds a query by trace id. One missing direction warns. It reads the configuration in the running Grafana; the end-to-end probe follows a real log line to its trace.",
    sources: '001-CHK-11, 004-P4-03',
    needs: ['grafana', 'loki'],
    skipIf: noTraces,
    dependsOn: [...LOGIN, 'GRAF-06', 'GRAF-07', 'GRAF-09'],
    reads: [`grafana:${LIST}`],
    run: (look) => {
      if (at(look.grafana(LIST), 'status') !== 200) throw new CouldNotLook('Grafana does not list its datasources');
      return correlation(look);
    },
  }),
];

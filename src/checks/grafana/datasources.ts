import { bodyText, grafanaBodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { type FactRef, fact, type Facts } from '../lib/facts.ts';
import { workloadOf } from '../lib/objects.ts';
import { messageOf } from '../../core/errors.ts';
import { asText, at, mapAt, listAt, textAt } from '../../core/json.ts';
import { oneLine, plural, list } from '../../core/text.ts';
import { parse } from 'yaml';
import type { Config } from '../../profile/schema.ts';
import { hostAndPort, meansService, resourceOf, urlFor, workloadObject } from '../lib/place.ts';

const graf = checksOf('GRAF');
const MAP = 'grafana-datasources';
const BACKENDS = ['prometheus', 'loki', 'tempo', 'jaeger'] as const;
export const LIST = '/api/datasources';
const UP = '/api/datasources/proxy/uid/prometheus/api/v1/query?query=up';
export const LOGIN = ['GRAF-01', 'GRAF-02', 'GRAF-04', 'GRAF-05'];
export const AGAIN = 'genai-obs install   # phase datasources';

type Backend = (typeof BACKENDS)[number];

export function backends(config: Config): Backend[] {
  return BACKENDS.filter((id) => config[id].enabled);
}

/** Before Grafana 12 the datasource jaeger had no health check; its API through Grafana works in all versions. */
function health(id: Backend): string {
  return id === 'jaeger' ? '/api/datasources/proxy/uid/jaeger/api/services' : `/api/datasources/uid/${id}/health`;
}

function healthy(id: Backend, { status, body }: { status: number; body: unknown }): boolean {
  return status === 200 && (id === 'jaeger' ? at(body, 'data') !== undefined : textAt(body, 'status') === 'OK');
}

/** URL of the backend, from the namespace of Grafana. */
function urlOf(facts: Facts, id: Backend): string {
  return urlFor(facts.place(id), facts.place('grafana').namespace);
}

function pointsTo(facts: Facts, url: string, id: Backend): boolean {
  const { host, port } = hostAndPort(url);
  const place = facts.place(id);
  return meansService(host, place, facts.place('grafana').namespace) && port === place.service.port;
}

export const MAP_OBJECT = (facts: Facts) => `ConfigMap ${facts.place('grafana').namespace}/${MAP}`;

/** Datasources of the ConfigMap. @throws the error of the YAML parser */
function provisioned(facts: Facts): unknown[] {
  const map = facts.find('ConfigMap', MAP, facts.place('grafana').namespace);
  return Object.entries(mapAt(map, 'data'))
    .filter(([key]) => /\.ya?ml$/.test(key))
    .flatMap(([, text]) => listAt(parse(asText(text), { logLevel: 'error' }), 'datasources'));
}

function configMap(facts: Facts): Verdict {
  const object = MAP_OBJECT(facts);
  if (!facts.find('ConfigMap', MAP, facts.place('grafana').namespace))
    return fail(`ConfigMap ${MAP} does not exist`, {
      cause: 'it was deleted; Grafana loses its datasources at the next start',
      fix: AGAIN,
      object,
    });
  let found: unknown[];
  try {
    found = provisioned(facts);
  } catch (error) {
    return fail(`ConfigMap ${MAP} is not YAML: ${oneLine(messageOf(error), 160)}`, {
      cause: 'it was edited manually',
      fix: AGAIN,
      object,
    });
  }
  const uids = found.map((one) => textAt(one, 'uid') ?? '');
  const missing = backends(facts.config).filter((id) => !uids.includes(id));
  if (missing.length)
    return fail(`${MAP} lacks the datasource${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`, {
      cause: 'it was edited manually',
      fix: AGAIN,
      object,
    });
  const incomplete = found
    .filter((one) => !textAt(one, 'uid') || !textAt(one, 'url') || !textAt(one, 'type'))
    .map((one) => textAt(one, 'name') ?? '?');
  if (incomplete.length)
    return fail(`${list(incomplete)} in ${MAP} lack uid, url or type`, {
      cause: 'it was edited manually',
      fix: AGAIN,
      object,
    });
  const mounted = listAt(workloadOf(facts, 'grafana'), 'spec', 'template', 'spec', 'volumes').some(
    (one) => textAt(one, 'configMap', 'name') === MAP,
  );
  if (!mounted)
    return fail(`${workloadObject(facts, 'grafana')} does not mount ${MAP}`, {
      cause: 'the workload was changed manually',
      fix: 'genai-obs install',
      object: workloadObject(facts, 'grafana'),
    });
  return ok(`${plural(found.length, 'datasource')} in ${MAP}, mounted: ${uids.join(', ')}`);
}

function everyDatasource(facts: Facts): Verdict {
  const live = listAt(grafanaBodyOf(facts, LIST));
  const working: string[] = [];
  const kubectl = facts.kubectlFor('grafana');
  const grafana = resourceOf(facts, 'grafana');
  for (const id of backends(facts.config)) {
    const source = live.find((one) => textAt(one, 'uid') === id);
    const object = MAP_OBJECT(facts);
    if (!source)
      return fail(
        `Grafana has no datasource with uid ${id}; it has ` +
          (list(live.map((one) => textAt(one, 'uid') ?? '?')) || 'none'),
        {
          cause: 'it was not provisioned, or has another uid',
          fix: `${AGAIN}; then: ${kubectl} rollout restart ${grafana}`,
          object,
        },
      );
    const answer = facts.grafana(health(id));
    if (healthy(id, answer)) {
      working.push(textAt(source, 'name') ?? id);
      continue;
    }
    const url = textAt(source, 'url') ?? '';
    const message = bodyText(textAt(answer.body, 'message') ?? answer.body);
    const { title } = facts.place(id);
    const wrong = !pointsTo(facts, url, id);
    return fail(
      `datasource ${textAt(source, 'name') ?? id} at ${url} answers ${answer.status}: ${message}` +
        (wrong ? `; its URL should be ${urlOf(facts, id)}` : ''),
      {
        cause: wrong ? `the URL ${url} does not point to ${title}` : `Grafana cannot reach ${title}`,
        fix: wrong
          ? `genai-obs install   # restores the URL; then: ${kubectl} rollout restart ${grafana}`
          : `${kubectl} logs ${grafana} --tail=50`,
        object,
      },
    );
  }
  return ok(`${working.join(', ')} report OK`);
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
  return fail(`query up through the datasource answers ${answer.status}: ${bodyText(answer.body)}`, {
    cause: 'Grafana cannot reach Prometheus',
    fix: `${facts.kubectlFor('grafana')} logs ${resourceOf(facts, 'grafana')} --tail=50`,
    object: MAP_OBJECT(facts),
  });
}

export const datasourceChecks: Check[] = [
  graf('06', 'Datasources are provisioned from a ConfigMap', {
    about:
      'Checks that Grafana mounts the ConfigMap grafana-datasources. The ConfigMap must be valid YAML and list ' +
      'every enabled backend with uid, type and URL. Failed: one of these conditions is not met. Datasources that ' +
      'were added manually are lost with the database. `genai-obs install` restores the ConfigMap.',
    sources: '000-TRB-06, 001-GRAF-07, 004-TRB-11',
    needs: ['grafana'],
    reads: [fact.objects('ConfigMap'), fact.workloads('grafana')],
    run: configMap,
  }),
  graf('07', 'Every datasource works', {
    about:
      'Runs the health check of each datasource in Grafana, and for Jaeger the list of services; this tests the ' +
      'path from Grafana to the backend. Failed: a datasource is missing or its check fails. The finding names ' +
      'its URL and the URL that it should have, if they differ.',
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
      'Runs the query `up` through the datasource proxy of Grafana, as every panel does. Ok: it returns series. ' +
      'Warning: the result is empty, because Prometheus has no targets. Failed: the query returns an error; the ' +
      'log of Grafana contains the reason.',
    sources: '000-TRB-07, 004-TRB-10',
    needs: ['grafana', 'prometheus'],
    dependsOn: [...LOGIN, 'GRAF-07', 'PROM-01', 'PROM-03', 'PROM-08'],
    reads: [fact.grafana(UP)],
    run: queryUp,
  }),
];

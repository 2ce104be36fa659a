import { grafanaBodyOf, bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { messageOf } from '../../core/errors.ts';
import { asText, mapAt, listAt, textAt, textsAt, isJsonMap } from '../../core/json.ts';
import { oneLine, plural, list } from '../../core/text.ts';
import { backends } from './datasources.ts';
import { resourceOf, workloadObject } from '../lib/place.ts';
import { type Language, missingMetrics, syntaxProblem, withoutVariables } from '../lib/query.ts';
import { settledFor, CLOCK_READS } from '../lib/time.ts';

const graf = checksOf('GRAF');
const MAP = 'genai-dashboards';
const SEARCH = '/api/search?type=dash-db&limit=5000';
const PLUGINS = '/api/plugins';
const NAMES = '/api/v1/label/__name__/values';
const MAP_OBJECT = (facts: Facts) => `ConfigMap ${facts.place('grafana').namespace}/${MAP}`;
const LOGIN = ['GRAF-01', 'GRAF-02', 'GRAF-04', 'GRAF-05'];
const AGAIN = 'genai-obs install   # phase dashboards';
/** Dashboards to expect when the ConfigMap does not exist. */
const REQUIRED = ['genai-overview', 'obs-stack-health', 'log-explorer', 'trace-analytics'];

export interface Board {
  file: string;
  uid: string;
  title: string;
  panels: unknown[];
}

/** Dashboards of the ConfigMap; `problem`: the first file that Grafana would not load. */
export function boards(facts: Facts): { boards: Board[]; problem?: string } {
  const found: Board[] = [];
  for (const [file, text] of Object.entries(
    mapAt(facts.find('ConfigMap', MAP, facts.place('grafana').namespace), 'data'),
  )) {
    let content: unknown;
    try {
      content = JSON.parse(asText(text));
    } catch (error) {
      return {
        boards: found,
        problem: `${file} is not JSON: ${oneLine(messageOf(error), 120)}`,
      };
    }
    if (isJsonMap(content) && isJsonMap(content['dashboard']))
      return { boards: found, problem: `${file} is wrapped in "dashboard": Grafana skips it` };
    const [uid, title] = [textAt(content, 'uid') ?? '', textAt(content, 'title') ?? ''];
    if (!uid || !title) return { boards: found, problem: `${file} has no ${uid ? 'title' : 'uid'}` };
    const duplicate = found.find((board) => board.uid === uid);
    if (duplicate) return { boards: found, problem: `${file} and ${duplicate.file} have the same uid ${uid}` };
    found.push({ file, uid, title, panels: panelsOf(content) });
  }
  return { boards: found };
}

/** Panels, with those of collapsed rows. */
function panelsOf(content: unknown): unknown[] {
  return listAt(content, 'panels').flatMap((panel) => [panel, ...listAt(panel, 'panels')]);
}

function valid(facts: Facts): Verdict {
  const object = MAP_OBJECT(facts);
  if (!facts.find('ConfigMap', MAP, facts.place('grafana').namespace))
    return fail(`ConfigMap ${MAP} does not exist`, {
      cause: 'it was deleted; Grafana then removes the dashboards',
      fix: AGAIN,
      object,
    });
  const { boards: found, problem } = boards(facts);
  if (problem) return fail(problem, { cause: 'it was edited manually', fix: AGAIN, object });
  if (!found.length)
    return fail(`ConfigMap ${MAP} contains no dashboard`, { cause: 'its keys were removed', fix: AGAIN, object });
  return ok(`${plural(found.length, 'dashboard')} with unique uids: ${found.map(({ uid }) => uid).join(', ')}`);
}

function expectedBoards(facts: Facts): Verdict {
  const wanted = boards(facts).boards.map(({ uid }) => uid);
  const uids = wanted.length ? wanted : REQUIRED;
  const live = new Set(listAt(grafanaBodyOf(facts, SEARCH)).map((one) => textAt(one, 'uid') ?? ''));
  const missing = uids.filter((uid) => !live.has(uid));
  if (!missing.length) return ok(`${uids.length} of ${uids.length} dashboards in Grafana: ${uids.join(', ')}`);
  const [kubectl, grafana] = [facts.kubectlFor('grafana'), resourceOf(facts, 'grafana')];
  const more = {
    cause: 'the ConfigMap is not mounted, or Grafana could not load the file',
    fix: `${AGAIN}; then: ${kubectl} rollout restart ${grafana} && ${kubectl} logs ${grafana} | grep -i provisioning`,
    object: MAP_OBJECT(facts),
  };
  const text = `${missing.length} of ${uids.length} dashboards are not in Grafana: ${list(missing)}`;
  return missing.length === uids.length ? fail(text, more) : warn(text, more);
}

interface Query {
  where: string;
  uid: string;
  expr: string;
  /** Undefined for queries that are neither PromQL nor LogQL. */
  language: Language | undefined;
}

const LANGUAGES: Record<string, Language> = { prometheus: 'promql', loki: 'logql' };

function queriesOf(board: Board): Query[] {
  return board.panels.flatMap((panel) =>
    listAt(panel, 'targets').flatMap((target): Query[] => {
      const expr = textAt(target, 'expr') ?? textAt(target, 'query');
      if (!expr) return [];
      const source = [target, panel].find((one) => textAt(one, 'datasource', 'uid'));
      const uid = textAt(source, 'datasource', 'uid') ?? '';
      const language = LANGUAGES[uid] ?? LANGUAGES[textAt(source, 'datasource', 'type') ?? ''];
      const where = `${board.uid} "${textAt(panel, 'title') ?? '?'}"`;
      return [{ where, uid, expr: withoutVariables(expr), language }];
    }),
  );
}

function panelQueries(facts: Facts): Verdict {
  const known = new Set(textsAt(bodyOf(facts, 'prometheus', NAMES), 'data'));
  const all = boards(facts).boards.flatMap(queriesOf);
  const object = MAP_OBJECT(facts);
  const broken = all
    .map((query) => ({ ...query, problem: query.language && syntaxProblem(query.expr, query.language) }))
    .filter(({ problem }) => problem);
  if (broken[0])
    return fail(
      `cannot parse ${plural(broken.length, 'panel query')}: ${list(
        broken.map(({ where, problem }) => `${where}: ${problem ?? ''}`),
        2,
      )}`,
      { cause: 'the dashboard was edited manually', fix: AGAIN, object },
    );
  const enabled = new Set<string>(backends(facts.config));
  const foreign = all.filter(
    ({ uid }) => uid && !uid.startsWith('$') && !uid.startsWith('-') && uid !== 'grafana' && !enabled.has(uid),
  );
  if (foreign[0])
    return fail(`${foreign[0].where} uses the datasource ${foreign[0].uid}, which does not exist`, {
      cause: 'the dashboard was edited manually',
      fix: AGAIN,
      object,
    });
  const promql = all.filter(({ uid }) => uid === 'prometheus');
  const empty = promql.flatMap(({ where, expr }) => missingMetrics(expr, known).map((name) => ({ where, name })));
  const names = [...new Set(empty.map(({ name }) => name))];
  const files = new Set(all.map(({ where }) => where.split(' ')[0]));
  const text = `${plural(all.length, 'panel query')} in ${plural(files.size, 'dashboard')}`;
  if (names.length && settledFor(facts) < 600)
    return ok(`${text}; metrics not reported yet after the recent start: ${list(names, 3)}`);
  if (names.length)
    return warn(
      `${text}; metrics that do not exist: ${list(names, 3)} ` +
        `(${list([...new Set(empty.map(({ where }) => where))], 2)})`,
      {
        cause: 'a metric has another name, or its source does not report it',
        fix: 'compare in Explore: count by (__name__) ({__name__=~".+"}); for sources see PROM-04 and PROM-19',
        object,
      },
    );
  return ok(`${text}; every metric exists or needs application traffic`);
}

function plugins(facts: Facts): Verdict {
  const loaded = new Set(listAt(grafanaBodyOf(facts, PLUGINS)).map((one) => textAt(one, 'id') ?? ''));
  // A row needs no plugin.
  const types = new Set(
    boards(facts)
      .boards.flatMap(({ panels }) => panels.map((panel) => textAt(panel, 'type') ?? ''))
      .filter((type) => type && type !== 'row'),
  );
  const sources = backends(facts.config);
  const missing = [...types, ...sources].filter((type) => !loaded.has(type));
  if (!missing.length)
    return ok(`${plural(types.size, 'panel type')} and ${plural(sources.length, 'datasource plugin')} are loaded`);
  return warn(`not loaded: ${list(missing)}`, {
    cause: 'the image does not include the plugin',
    fix: 'use panel types of the image, or an image with the plugin: global.imageRegistry',
    object: workloadObject(facts, 'grafana'),
  });
}

export const dashboardChecks: Check[] = [
  graf('11', 'The dashboards are in Grafana', {
    about:
      'Searches Grafana for every dashboard of the ConfigMap genai-dashboards by uid. Warning: some are missing, ' +
      'because Grafana could not load the file; its log contains the reason. Failed: all are missing, because the ' +
      'ConfigMap is not mounted.',
    sources: '000-BAK-04, 000-CFG-03, 001-CHK-09, 001-GRAF-07, 002-GOAL-01, 002-NEXT-01, 003-ARCH-04',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-13'],
    reads: [fact.objects('ConfigMap'), fact.grafana(SEARCH)],
    run: expectedBoards,
  }),
  graf('12', 'Panels query metrics that exist', {
    about:
      'Parses every panel query in the ConfigMap and looks up its metrics in Prometheus by name; it does not run ' +
      'queries or test label filters. Metrics that only applications or rare events produce are not required. ' +
      'Warning: a metric does not exist. Failed: a query does not parse, or its datasource does not exist.',
    sources: '001-DASH-01, 001-DASH-02, 001-DASH-03, 001-DASH-04, 002-SUM-01, 002-SUM-04, 003-D1-01',
    needs: ['grafana', 'prometheus'],
    dependsOn: ['GRAF-13', 'PROM-01', 'PROM-03', 'PROM-04', 'PROM-19', 'PROM-13', 'COL-14'],
    reads: [fact.objects('ConfigMap'), fact.http('prometheus', NAMES), ...CLOCK_READS],
    run: panelQueries,
  }),
  graf('13', 'Dashboard files are valid', {
    about:
      'Checks that every key of the ConfigMap genai-dashboards is a dashboard in JSON with a title and a unique ' +
      'uid. Failed: one is not. Grafana skips files in API format ({"dashboard": …}) and shows only one of two ' +
      'dashboards with the same uid. `genai-obs install` restores the files.',
    sources: '003-D1-00',
    needs: ['grafana'],
    reads: [fact.objects('ConfigMap')],
    run: valid,
  }),
  graf('14', 'Plugins that dashboards need are loaded', {
    about:
      'Checks that Grafana has loaded the panel types of all dashboards and the plugins of all datasources. ' +
      'Warning: one is missing; its panels show an error instead of data. All plugins of this stack are in the ' +
      'image.',
    sources: '001-GRAF-04, 001-GRAF-06, 001-GRAF-09',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-13'],
    reads: [fact.grafana(PLUGINS), fact.objects('ConfigMap')],
    run: plugins,
  }),
];

import { grafanaBodyOf, bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
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
/** Used when the ConfigMap is gone: the least that must be there. */
const LEAST = ['genai-overview', 'obs-stack-health', 'log-explorer', 'trace-analytics'];

export interface Board {
  file: string;
  uid: string;
  title: string;
  panels: unknown[];
}

/** Dashboards of the ConfigMap; `problem` is the first file that Grafana would not load. */
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
        problem: `${file} is no JSON: ${oneLine(error instanceof Error ? error.message : String(error), 120)}`,
      };
    }
    if (isJsonMap(content) && isJsonMap(content['dashboard']))
      return { boards: found, problem: `${file} is wrapped in "dashboard": provisioning skips it` };
    const [uid, title] = [textAt(content, 'uid') ?? '', textAt(content, 'title') ?? ''];
    if (!uid || !title) return { boards: found, problem: `${file} has no ${uid ? 'title' : 'uid'}` };
    const twin = found.find((board) => board.uid === uid);
    if (twin) return { boards: found, problem: `${file} and ${twin.file} have the same uid ${uid}` };
    found.push({ file, uid, title, panels: panelsOf(content) });
  }
  return { boards: found };
}

/** Panels, those of collapsed rows too. */
function panelsOf(content: unknown): unknown[] {
  return listAt(content, 'panels').flatMap((panel) => [panel, ...listAt(panel, 'panels')]);
}

function valid(facts: Facts): Verdict {
  const object = MAP_OBJECT(facts);
  if (!facts.find('ConfigMap', MAP, facts.place('grafana').namespace))
    return fail(`ConfigMap ${MAP} does not exist`, {
      cause: 'it was deleted; Grafana removes the dashboards with it',
      fix: AGAIN,
      object,
    });
  const { boards: found, problem } = boards(facts);
  if (problem) return fail(problem, { cause: 'it was edited by hand', fix: AGAIN, object });
  if (!found.length)
    return fail(`ConfigMap ${MAP} holds no dashboard`, { cause: 'its keys were removed', fix: AGAIN, object });
  return ok(`${plural(found.length, 'dashboard')} with their own uids: ${found.map(({ uid }) => uid).join(', ')}`);
}

function expectedBoards(facts: Facts): Verdict {
  const wanted = boards(facts).boards.map(({ uid }) => uid);
  const uids = wanted.length ? wanted : LEAST;
  const live = new Set(listAt(grafanaBodyOf(facts, SEARCH)).map((one) => textAt(one, 'uid') ?? ''));
  const missing = uids.filter((uid) => !live.has(uid));
  if (!missing.length) return ok(`${uids.length} of ${uids.length} dashboards in Grafana: ${uids.join(', ')}`);
  const more = {
    cause: 'the ConfigMap is not mounted, or Grafana could not load the file',
    fix: `${AGAIN}; then: ${facts.kubectlFor('grafana')} rollout restart ${resourceOf(facts, 'grafana')} && ${facts.kubectlFor('grafana')} logs ${resourceOf(facts, 'grafana')} | grep -i provisioning`,
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
      `${plural(broken.length, 'panel query')} cannot be parsed: ${list(
        broken.map(({ where, problem }) => `${where}: ${problem ?? ''}`),
        2,
      )}`,
      { cause: 'the dashboard was edited by hand', fix: AGAIN, object },
    );
  const enabled = new Set<string>(backends(facts.config));
  const foreign = all.filter(
    ({ uid }) => uid && !uid.startsWith('$') && !uid.startsWith('-') && uid !== 'grafana' && !enabled.has(uid),
  );
  if (foreign[0])
    return fail(`${foreign[0].where} asks the datasource ${foreign[0].uid}, which does not exist`, {
      cause: 'the dashboard was edited by hand',
      fix: AGAIN,
      object,
    });
  const promql = all.filter(({ uid }) => uid === 'prometheus');
  const empty = promql.flatMap(({ where, expr }) => missingMetrics(expr, known).map((name) => ({ where, name })));
  const names = [...new Set(empty.map(({ name }) => name))];
  const text = `${plural(all.length, 'panel query')} in ${new Set(all.map(({ where }) => where.split(' ')[0])).size} dashboards`;
  if (names.length && settledFor(facts) < 600) return ok(`${text}; not yet, so soon after a start: ${list(names, 3)}`);
  if (names.length)
    return warn(
      `${text}; metrics that do not exist: ${list(names, 3)} (${list([...new Set(empty.map(({ where }) => where))], 2)})`,
      {
        cause: 'a metric has another name, or its source does not deliver',
        fix: 'compare in Explore: count by (__name__) ({__name__=~".+"}); sources: PROM-04, PROM-19',
        object,
      },
    );
  return ok(`${text}; every metric exists or waits for application traffic`);
}

function plugins(facts: Facts): Verdict {
  const loaded = new Set(listAt(grafanaBodyOf(facts, PLUGINS)).map((one) => textAt(one, 'id') ?? ''));
  // The row is drawn by the dashboard itself.
  const types = new Set(
    boards(facts)
      .boards.flatMap(({ panels }) => panels.map((panel) => textAt(panel, 'type') ?? ''))
      .filter((type) => type && type !== 'row'),
  );
  const sources = backends(facts.config);
  const missing = [...types, ...sources].filter((type) => !loaded.has(type));
  if (!missing.length)
    return ok(`${types.size} kinds of panels and ${plural(sources.length, 'datasource plugin')} are loaded`);
  return warn(`not loaded: ${list(missing)}`, {
    cause: 'the image lacks the plugin, or it must be installed',
    fix: 'use panels of the image, or an image with the plugin: global.imageRegistry',
    object: workloadObject(facts, 'grafana'),
  });
}

export const dashboardChecks: Check[] = [
  graf('11', 'The dashboards are in Grafana', {
    about:
      'Every dashboard of the ConfigMap genai-dashboards must be found by its uid in the running Grafana. If some are missing Grafana could not load the file and says why in its log; if all are, the ConfigMap is not mounted.',
    sources: '000-BAK-04, 000-CFG-03, 001-CHK-09, 001-GRAF-07, 002-GOAL-01, 002-NEXT-01, 003-ARCH-04',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-13'],
    reads: [fact.objects('ConfigMap'), fact.grafana(SEARCH)],
    run: expectedBoards,
  }),
  graf('12', 'Panels ask for metrics that exist', {
    about:
      "Reads every panel query of the ConfigMap's dashboards: brackets and strings must be closed, the datasource must exist, and every metric in a PromQL expression must be known to Prometheus. Metrics that only applications or rare events bring are left out. It compares names and does not run the queries, so that label filters are not judged; a missing name warns.",
    sources: '001-DASH-01, 001-DASH-02, 001-DASH-03, 001-DASH-04, 002-SUM-01, 002-SUM-04, 003-D1-01',
    needs: ['grafana', 'prometheus'],
    dependsOn: ['GRAF-13', 'PROM-01', 'PROM-03', 'PROM-04', 'PROM-19', 'PROM-13', 'COL-14'],
    reads: [fact.objects('ConfigMap'), fact.http('prometheus', NAMES), ...CLOCK_READS],
    run: panelQueries,
  }),
  graf('13', 'Dashboard files are valid', {
    about:
      'Every key of the ConfigMap genai-dashboards must be the bare JSON of a dashboard with title and a uid of its own. Files in the shape of the API ({"dashboard": …}) are skipped by provisioning, and of two with one uid only one is shown. `genai-obs install` writes them again.',
    sources: '003-D1-00',
    needs: ['grafana'],
    reads: [fact.objects('ConfigMap')],
    run: valid,
  }),
  graf('14', 'Plugins that dashboards need are loaded', {
    about:
      'A panel whose kind is not loaded shows an error in place of data. All kinds of panels in the dashboards and the plugin of every datasource must be loaded; those of this stack are part of the image.',
    sources: '001-GRAF-04, 001-GRAF-06, 001-GRAF-09',
    needs: ['grafana'],
    dependsOn: [...LOGIN, 'GRAF-13'],
    reads: [fact.grafana(PLUGINS), fact.objects('ConfigMap')],
    run: plugins,
  }),
];

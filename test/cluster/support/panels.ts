/** Builds the queries of a dashboard's panels as Grafana would send them, and sends them through Grafana. */

export type Source = 'prometheus' | 'loki' | 'tempo';

export interface PanelQuery {
  dashboard: string;
  panel: string;
  panelId: number;
  panelType: string;
  refId: string;
  source: Source;
  kind: 'range' | 'instant' | 'traceql' | 'serviceMap';
  /** With every variable filled in. */
  query: string;
}

/** GET through Grafana with its credentials; resolves to the parsed body, rejects unless the status is 2xx. */
export type Fetcher = (path: string) => Promise<unknown>;

export interface TimeRange {
  /** Seconds since 1970. */
  from: number;
  to: number;
}

type JsonMap = { [key: string]: unknown };
const map = (value: unknown): JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonMap) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Every panel of the dashboard, including those in collapsed rows. */
export function panelsOf(dashboard: unknown): JsonMap[] {
  return list(map(dashboard)['panels']).flatMap((entry) => {
    const panel = map(entry);
    return panel['type'] === 'row' ? list(panel['panels']).map(map) : [panel];
  });
}

/** The initial value of each variable: its default; for `All` its allValue, or `.*` without one. */
export function variablesOf(dashboard: unknown): Record<string, string> {
  const variables = list(map(map(dashboard)['templating'])['list']).map(map);
  return Object.fromEntries(
    variables.map((variable) => {
      const all = text(variable['allValue']) || '.*';
      if (variable['type'] === 'textbox') return [text(variable['name']), text(map(variable['current'])['value'])];
      const current = map(variable['current'])['value'];
      const chosen = list(current)
        .concat(typeof current === 'string' ? [current] : [])
        .filter((value) => value !== '' && value !== '$__all');
      return [text(variable['name']), chosen.length > 0 ? chosen.map(String).join('|') : all];
    }),
  );
}

/** The queries of all panels; `values` override the defaults of the variables. */
export function panelQueries(
  dashboard: unknown,
  values: Record<string, string> = {},
  rangeSeconds = 3600,
): PanelQuery[] {
  const range = `${rangeSeconds}s`;
  const builtIn = {
    __interval: '60s',
    __rate_interval: '5m',
    __auto: '60s',
    __range: range,
    __range_s: String(rangeSeconds),
  };
  const variables = { ...variablesOf(dashboard), ...builtIn, ...values };
  return panelsOf(dashboard).flatMap((panel) =>
    list(panel['targets']).map((entry) => {
      const target = map(entry);
      const source = text(map(target['datasource'] ?? panel['datasource'])['uid']);
      if (!isSource(source))
        throw new Error(`panel "${text(panel['title'])}" reads the unknown datasource "${source}"`);
      return {
        dashboard: text(map(dashboard)['uid']),
        panel: text(panel['title']),
        panelId: Number(panel['id']),
        panelType: text(panel['type']),
        refId: text(target['refId']),
        source,
        kind: kindOf(source, target),
        query: interpolate(text(target['expr']) || text(target['query']), variables),
      };
    }),
  );
}

/** Counts the series, rows or traces that the query returns. A series without a number does not count. */
export async function runPanel(query: PanelQuery, fetcher: Fetcher, range: TimeRange): Promise<number> {
  const proxy = (source: Source, path: string, parameters: Record<string, string | number>) => {
    const search = new URLSearchParams(
      Object.entries(parameters).map(([key, value]): [string, string] => [key, String(value)]),
    );
    return fetcher(`/api/datasources/proxy/uid/${source}${path}?${search}`);
  };
  const step = Math.max(15, Math.round((range.to - range.from) / 240));

  if (query.kind === 'serviceMap')
    return countSeries(
      await proxy('prometheus', '/api/v1/query', { query: 'traces_service_graph_request_total', time: range.to }),
    );
  if (query.source === 'tempo') {
    const answer = await proxy('tempo', '/api/search', { q: query.query, limit: 20, start: range.from, end: range.to });
    return list(map(answer)['traces']).length;
  }
  const root = query.source === 'loki' ? '/loki/api/v1' : '/api/v1';
  const answer =
    query.kind === 'instant'
      ? await proxy(query.source, `${root}/query`, { query: query.query, time: range.to })
      : await proxy(query.source, `${root}/query_range`, {
          query: query.query,
          start: range.from,
          end: range.to,
          step,
        });
  return countSeries(answer);
}

function isSource(uid: string): uid is Source {
  return uid === 'prometheus' || uid === 'loki' || uid === 'tempo';
}

function kindOf(source: Source, target: JsonMap): PanelQuery['kind'] {
  if (source === 'tempo') return target['queryType'] === 'serviceMap' ? 'serviceMap' : 'traceql';
  return target['instant'] === true || target['queryType'] === 'instant' ? 'instant' : 'range';
}

/** Replaces `$name`, `${name}`, `${name:format}` and `[[name]]`. Like Grafana, keeps unknown names. */
function interpolate(query: string, variables: Record<string, string>): string {
  return query.replaceAll(
    /\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)\]\]/g,
    (whole, braced?: string, bare?: string, bracketed?: string) => {
      const value = variables[braced ?? bare ?? bracketed ?? ''];
      return value ?? whole;
    },
  );
}

/** Prometheus and Loki share a format: samples are [time, "number"], lines are [time, "text"]. */
function countSeries(answer: unknown): number {
  const data = map(map(answer)['data']);
  const isLines = data['resultType'] === 'streams';
  return list(data['result'])
    .map(map)
    .filter((series) => {
      const points = Array.isArray(series['values']) ? series['values'] : [series['value']];
      return points.some((point) => Array.isArray(point) && (isLines || Number.isFinite(Number(point[1]))));
    }).length;
}

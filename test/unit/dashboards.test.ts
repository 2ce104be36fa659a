import { readFileSync, readdirSync } from 'node:fs';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { budgetRules, monthlyBudgets } from '../../src/parts/prometheus/rules.ts';
import { panelQueries, panelsOf, runPanel, variablesOf, type PanelQuery } from '../cluster/support/panels.ts';

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: { type: string; uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig?: { defaults: { unit?: string } };
  targets?: {
    refId: string;
    expr?: string;
    query?: string;
    queryType?: string;
    datasource: { type: string; uid: string };
  }[];
}
interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  tags: string[];
  panels: Panel[];
  links: { type: string; url: string; tags: string[] }[];
  templating: { list: { name: string; type: string; allValue?: string; includeAll?: boolean }[] };
}
interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

const folder = 'templates/dashboards';
const dashboards = readdirSync(folder).map((file) => ({
  file,
  json: JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as Dashboard,
}));
const uids = dashboards.map(({ json }) => json.uid);
const SOURCES: Record<string, string> = { prometheus: 'prometheus', loki: 'loki', tempo: 'tempo' };
/** Panel types of Grafana 10 and 13, without those of Angular (`graph`, `singlestat`) and `gauge`, blank on the bed. */
const TYPES = [
  'row',
  'stat',
  'bargauge',
  'timeseries',
  'state-timeline',
  'table',
  'logs',
  'piechart',
  'gauge',
  'nodeGraph',
  'text',
];

it('ships the dashboards of the profiles', () => {
  expect(uids.toSorted()).toEqual([
    'genai-overview',
    'genops-cost',
    'genops-performance',
    'genops-policy',
    'k8s-overview',
    'llm-platform-teams',
    'log-explorer',
    'macos-monitoring',
    'node-performance',
    'obs-stack-health',
    'pod-resources',
    'trace-analytics',
  ]);
});

describe.each(dashboards)('$file', ({ file, json }) => {
  const panels = json.panels.filter((panel) => panel.type !== 'row');

  it('is a dashboard without a wrapper object, named like its file', () => {
    expect(file).toBe(`${json.uid}.json`);
    expect(json).not.toHaveProperty('dashboard');
    expect(json).not.toHaveProperty('id');
    expect(json).not.toHaveProperty('__inputs');
    expect(json.schemaVersion).toBe(39);
    expect(json.tags).toContain('genai-obs');
  });

  it('has known panel types, unique ids, titles, units and descriptions', () => {
    const ids = json.panels.map((panel) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(json.panels.filter((panel) => !TYPES.includes(panel.type))).toEqual([]);
    const titles = panels.map((panel) => panel.title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(panels.filter((panel) => !panel.description).map((panel) => panel.title)).toEqual([]);
    expect(panels.filter((panel) => !panel.fieldConfig?.defaults.unit).map((panel) => panel.title)).toEqual([]);
  });

  it('has panels on the grid without overlap', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of json.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          const other = taken.get(`${x},${y}`);
          if (other !== undefined) expect.fail(`"${title}" lies on "${other}" at ${x},${y}`);
          taken.set(`${x},${y}`, title);
        }
    }
  });

  it('refers to datasources by uid, in queries that are not empty', () => {
    for (const panel of panels) {
      expect(panel.targets?.length, panel.title).toBeGreaterThan(0);
      for (const target of panel.targets ?? []) {
        expect(SOURCES[target.datasource.uid], panel.title).toBe(target.datasource.type);
        if (target.queryType !== 'serviceMap')
          expect((target.expr ?? target.query ?? '').trim(), panel.title).not.toBe('');
      }
      const refs = (panel.targets ?? []).map((target) => target.refId);
      expect(new Set(refs).size, panel.title).toBe(refs.length);
    }
  });

  it('uses only variables that it defines', () => {
    const known = new Set(json.templating.list.map((variable) => variable.name));
    const queries = panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr ?? target.query ?? '');
    const used = queries
      .flatMap((query) => [...query.matchAll(/\$\{?([a-z_]\w*)/gi)].map((match) => match[1] ?? ''))
      .filter((name) => !name.startsWith('__'));
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    expect(json.templating.list.filter((variable) => variable.includeAll && !variable.allValue)).toEqual([]);
  });

  it('links only to dashboards that exist', () => {
    const linked = [...JSON.stringify(json).matchAll(/"\/d\/([a-z0-9-]+)/g)].map((match) => match[1] ?? '');
    expect(linked.filter((uid) => !uids.includes(uid))).toEqual([]);
    expect(json.links.find((link) => link.type === 'dashboards')?.tags).toEqual(['genai-obs']);
  });

  it('has no Loki selector that can match everything, which Loki refuses', () => {
    const queries = panelQueries(json).filter((query) => query.source === 'loki');
    expect(queries.filter(({ query }) => !/\{[^}]*=(~"\.\+"|"[^"]+")/.test(query))).toEqual([]);
  });

  it('reads GenAI metrics from recording rules only', () => {
    const queries = panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr ?? '');
    expect(queries.filter((query) => /gen_ai_client_/.test(query))).toEqual([]);
  });
});

it('draws the budget as a line and its limit as a threshold', () => {
  const overview = dashboards.find(({ json }) => json.uid === 'genai-overview');
  const gauge = overview?.json.panels.find((panel) => panel.title.startsWith('Budget used'));
  expect(JSON.stringify(gauge)).toContain('genai:budget_limit_usd');
  expect(JSON.stringify(gauge?.fieldConfig)).toContain('"color":"red","value":1}');
});

describe('panel queries', () => {
  const dashboard = {
    uid: 'd',
    templating: {
      list: [
        { name: 'service', type: 'query', allValue: '.+', current: { value: ['$__all'] } },
        { name: 'namespace', type: 'query', current: {} },
        { name: 'model', type: 'query', current: { value: ['a', 'b'] } },
        { name: 'text', type: 'textbox', current: { value: '' } },
      ],
    },
    panels: [
      {
        id: 1,
        type: 'stat',
        title: 'A',
        datasource: { uid: 'prometheus' },
        targets: [
          { refId: 'A', instant: true, expr: 'x{s=~"$service", n=~"${namespace}", m=~"${model:pipe}"}[$__range]' },
        ],
      },
      {
        id: 2,
        type: 'row',
        panels: [
          {
            id: 3,
            type: 'logs',
            title: 'B',
            targets: [{ refId: 'A', datasource: { uid: 'loki' }, expr: '{s=~"[[service]]"} |~ `$text` | $unknown' }],
          },
        ],
      },
      {
        id: 4,
        type: 'nodeGraph',
        title: 'C',
        targets: [{ refId: 'A', datasource: { uid: 'tempo' }, queryType: 'serviceMap' }],
      },
    ],
  };

  it('replace variables and include collapsed rows', () => {
    expect(panelsOf(dashboard)).toHaveLength(3);
    expect(variablesOf(dashboard)).toEqual({ service: '.+', namespace: '.*', model: 'a|b', text: '' });
    expect(
      panelQueries(dashboard, { namespace: 'obs' }).map((query) => [query.source, query.kind, query.query]),
    ).toEqual([
      ['prometheus', 'instant', 'x{s=~".+", n=~"obs", m=~"a|b"}[3600s]'],
      ['loki', 'range', '{s=~".+"} |~ `` | $unknown'],
      ['tempo', 'serviceMap', ''],
    ]);
    expect(() => panelQueries({ panels: [{ title: 'x', targets: [{ datasource: { uid: '${DS}' } }] }] })).toThrow(
      /unknown datasource/,
    );
  });

  it('count the returned series', async () => {
    const [instant, lines, graph] = panelQueries(dashboard) as [PanelQuery, PanelQuery, PanelQuery];
    const range = { from: 1000, to: 4600 };
    const paths: string[] = [];
    const answering = (answer: unknown) => async (path: string) => (paths.push(path), answer);
    expect(
      await runPanel(
        instant,
        answering({ data: { resultType: 'vector', result: [{ value: [1, '2'] }, { value: [1, 'NaN'] }] } }),
        range,
      ),
    ).toBe(1);
    expect(
      await runPanel(
        lines,
        answering({ data: { resultType: 'streams', result: [{ values: [['1', 'text']] }, { values: [] }] } }),
        range,
      ),
    ).toBe(1);
    expect(await runPanel(graph, answering({ data: { resultType: 'vector', result: [] } }), range)).toBe(0);
    expect(await runPanel({ ...graph, kind: 'traceql', query: '{}' }, answering({ traces: [{}, {}] }), range)).toBe(2);
    expect(paths.map((path) => path.split('?')[0])).toEqual([
      '/api/datasources/proxy/uid/prometheus/api/v1/query',
      '/api/datasources/proxy/uid/loki/loki/api/v1/query_range',
      '/api/datasources/proxy/uid/prometheus/api/v1/query',
      '/api/datasources/proxy/uid/tempo/api/search',
    ]);
  });
});

describe('rules', () => {
  const files = readdirSync('templates/rules').map((file) => ({
    file,
    yaml: parse(readFileSync(`templates/rules/${file}`, 'utf8')) as { groups: { name: string; rules: Rule[] }[] },
  }));
  const groups = [
    ...files.flatMap(({ yaml }) => yaml.groups),
    ...budgetRules(1000),
    ...monthlyBudgets(20_000, { search: 500 }),
  ];
  const rules: Rule[] = groups.flatMap((group) => group.rules);
  const alerts = rules.filter((rule) => rule.alert !== undefined);

  it('have unique group and alert names and an expression each', () => {
    const names = groups.map((group) => group.name);
    expect(new Set(names).size).toBe(names.length);
    const alertNames = alerts.map((rule) => rule.alert);
    expect(new Set(alertNames).size).toBe(alertNames.length);
    expect(rules.filter((rule) => !rule.expr || (rule.alert === undefined) === (rule.record === undefined))).toEqual(
      [],
    );
  });

  it('have severity, category, summary, dashboard and runbook', () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(labels?.['severity'], alert).toMatch(/^(critical|warning|info)$/);
      expect(labels?.['category'], alert).toMatch(/^(cost|policy|performance|quality|observability|infrastructure)$/);
      expect(annotations?.['summary'], alert).toBeTruthy();
      expect(annotations?.['description'], alert).toMatch(/\{\{.*\$(value|labels)/);
      expect(uids, alert).toContain(annotations?.['dashboard_uid']);
      expect(annotations?.['runbook'], alert).toBe(`docs/runbooks.md#${alert?.toLowerCase()}`);
    }
  });

  it('record the names that docs/telemetry.md lists', () => {
    const recorded = new Set(rules.map((rule) => rule.record));
    const promised = [...readFileSync('docs/telemetry.md', 'utf8').matchAll(/`(genai:[a-z0-9_:]+)`/g)].map(
      (match) => match[1],
    );
    expect(promised.length).toBeGreaterThan(6);
    // Price rules are generated from templates/prices.yaml.
    expect(promised.filter((name) => name !== 'genai:price_usd_per_mtok' && !recorded.has(name))).toEqual([]);
  });
});

describe('datasources', () => {
  it('have the expected uids, and escape what Grafana would expand', () => {
    const text = readFileSync('templates/datasources/datasources.yaml', 'utf8');
    const { datasources } = parse(text) as {
      datasources: { uid: string; type: string; url: string; editable: boolean }[];
    };
    expect(datasources.map(({ uid, type, url, editable }) => [uid, type, url, editable])).toEqual([
      ['prometheus', 'prometheus', 'http://prometheus-server', false],
      ['loki', 'loki', 'http://loki:3100', false],
      ['tempo', 'tempo', 'http://tempo:3200', false],
      ['alertmanager', 'alertmanager', 'http://alertmanager:9093', false],
      ['jaeger', 'jaeger', 'http://jaeger:16686', false],
    ]);
    expect(text.replaceAll('$$', '').match(/^[^#\n]*\$/m)).toBeNull();
  });
});

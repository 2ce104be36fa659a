import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CATALOG, imageOf, PLACED_IDS } from '../../src/parts/catalog.ts';
import { withoutExporter } from '../../src/parts/collectors/pipelines.ts';
import { dashboards } from '../../src/parts/grafana/dashboards.ts';
import { datasources } from '../../src/parts/grafana/datasources.ts';
import { listAt, mapAt, set } from '../../src/core/json.ts';
import { COMPONENTS } from '../../src/components/index.ts';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import type { RuleGroup } from '../../src/parts/prometheus/rules.ts';
import { goHours } from '../../src/components/tempo.ts';
import { yamlAsset } from '../../src/core/assets.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { COMPONENT_IDS, type ComponentId, type Config } from '../../src/profile/schema.ts';
import { quickstart, subsets, without } from './support/config.ts';

const BACKENDS = ['prometheus', 'loki', 'tempo'] as const;

function configured(id: ComponentId, config: Config): JsonMap {
  const component = COMPONENTS.find((candidate) => candidate.id === id);
  if (!component) throw new Error(`no component ${id}`);
  return component.configure(yamlAsset('templates', id, 'config.yaml'), config);
}

/** Errors that the collector itself would report at start. */
function complaints(config: JsonMap): string[] {
  const names = (section: string): Set<string> => new Set(Object.keys(mapAt(config, section)));
  const connectors = names('connectors');
  const pipelines = Object.entries(mapAt(config, 'service', 'pipelines'));
  const out: string[] = pipelines.length ? [] : ['service must have at least one pipeline'];
  const sides: Record<string, Set<string>> = { receivers: new Set(), exporters: new Set() };
  for (const [id, pipeline] of pipelines) {
    for (const [side, section] of [
      ['receivers', 'receivers'],
      ['processors', 'processors'],
      ['exporters', 'exporters'],
    ] as const) {
      const listed = listAt(pipeline, side).map(String);
      if (side !== 'processors' && listed.length === 0) out.push(`${id} has no ${side}`);
      for (const name of listed) {
        if (!names(section).has(name) && !(side !== 'processors' && connectors.has(name)))
          out.push(`${id}: ${side} ${name} is not configured`);
        sides[side]?.add(name);
      }
    }
  }
  for (const name of connectors) {
    if (!sides['receivers']?.has(name)) out.push(`connector ${name} is not used as receiver`);
    if (!sides['exporters']?.has(name)) out.push(`connector ${name} is not used as exporter`);
  }
  for (const name of names('exporters')) if (!sides['exporters']?.has(name)) out.push(`exporter ${name} is unused`);
  for (const name of listAt(config, 'service', 'extensions').map(String))
    if (!names('extensions').has(name)) out.push(`extension ${name} is not configured`);
  for (const connector of Object.values(mapAt(config, 'connectors'))) {
    const targets = [
      ...listAt(connector, 'default_pipelines'),
      ...listAt(connector, 'table').flatMap((row) => listAt(row, 'pipelines')),
    ].map(String);
    for (const target of targets)
      if (!pipelines.some(([id]) => id === target)) out.push(`a connector routes to ${target}, which is gone`);
  }
  return out;
}

const COLLECTORS = [
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
] as const;

describe.each(subsets(BACKENDS).map((off) => ({ off, name: off.join(' and ') || 'nothing' })))(
  'without $name',
  ({ off }) => {
    const config = without(off);

    it.each(COLLECTORS)('the pipelines of %s are whole', (id) => {
      if (config[id].enabled) expect(complaints(configured(id, config))).toEqual([]);
      else expect(off.length).toBeGreaterThanOrEqual(id === 'opentelemetry-collector' ? 3 : 2);
    });

    it('the gateway exports to enabled backends only', () => {
      const exporters = Object.keys(mapAt(configured('opentelemetry-collector', config), 'exporters')).map(
        (name) => name.split('/')[1],
      );
      expect(exporters.toSorted((a = '', b = '') => (a < b ? -1 : 1))).toEqual(
        BACKENDS.filter((id) => !off.includes(id)).toSorted(),
      );
    });

    it('node and cluster collectors send no signal that the gateway refuses', () => {
      const signals = (id: ComponentId): string[] =>
        Object.keys(mapAt(configured(id, config), 'service', 'pipelines')).map((name) => name.split('/')[0] ?? '');
      const taken = new Set(signals('opentelemetry-collector'));
      for (const id of COLLECTORS.slice(1))
        if (config[id].enabled) expect(signals(id).filter((signal) => !taken.has(signal))).toEqual([]);
    });

    it('Grafana has datasources of enabled backends only, with links between these only', () => {
      const text = JSON.stringify(datasources(config));
      const kept = listAt(datasources(config), 'datasources').map((entry) => (entry as { uid: string }).uid);
      expect(kept.toSorted()).toEqual(['alertmanager', ...BACKENDS.filter((id) => !off.includes(id))].toSorted());
      for (const uid of off) expect(text).not.toContain(`"datasourceUid":"${uid}"`);
    });

    it('Grafana has the Alertmanager datasource only with Alertmanager', () => {
      expect(JSON.stringify(datasources(without(['alertmanager'])))).not.toContain('alertmanager');
    });

    it('no dashboard queries a missing datasource or has an empty row', () => {
      for (const [name, text] of Object.entries(dashboards(config))) {
        const board = JSON.parse(text) as { panels: { type: string }[] };
        for (const uid of off) expect(text, name).not.toMatch(new RegExp(`"uid":\\s*"${uid}"`));
        expect(board.panels.filter((panel) => panel.type !== 'row').length, name).toBeGreaterThan(0);
        board.panels.forEach((panel, i) => {
          if (panel.type === 'row')
            expect(board.panels[i + 1]?.type ?? 'row', `${name}, after row ${i}`).not.toBe('row');
        });
      }
    });
  },
);

describe('dashboards', () => {
  it('are unchanged when everything is enabled', () => {
    expect(Object.keys(dashboards(quickstart())).length).toBeGreaterThanOrEqual(4);
    expect(Object.values(dashboards(quickstart())).every((text) => text.includes('"uid"'))).toBe(true);
  });

  it('include the one for Macs only with macos.enabled', () => {
    const macs = { macos: { enabled: true } };
    expect(Object.keys(dashboards(quickstart()))).not.toContain('macos-monitoring.json');
    expect(Object.keys(dashboards(quickstart(macs)))).toContain('macos-monitoring.json');
    expect(Object.keys(dashboards(without(['loki'], macs)))).toContain('macos-monitoring.json');
    expect(Object.keys(dashboards(without(['prometheus'], macs)))).not.toContain('macos-monitoring.json');
  });

  it('keep every variable that a panel uses', () => {
    for (const off of subsets(BACKENDS)) {
      for (const [name, text] of Object.entries(dashboards(without(off)))) {
        const board = JSON.parse(text) as { panels: object[]; templating?: { list: { name: string }[] } };
        const have = new Set((board.templating?.list ?? []).map((variable) => variable.name));
        const used = [...JSON.stringify(board.panels).matchAll(/\$\{?([a-z][a-z_]*)\b/g)]
          .map((match) => match[1] ?? '')
          .filter((variable) => !variable.startsWith('__'));
        expect(
          used.filter((variable) => !have.has(variable)),
          `${name} without ${off.join()}`,
        ).toEqual([]);
      }
    }
  });
});

describe('withoutExporter', () => {
  const pipe = (receivers: string[], exporters: string[]): JsonMap => ({ receivers, processors: ['batch'], exporters });
  const config = (pipelines: JsonMap): JsonMap => ({
    exporters: { a: {}, b: {} },
    connectors: { x: {}, y: {} },
    processors: { batch: {} },
    receivers: { r: {} },
    service: { extensions: [], pipelines },
  });

  it('removes a chain of connectors that leads nowhere', () => {
    const out = withoutExporter(
      config({ one: pipe(['r'], ['x', 'b']), two: pipe(['x'], ['y']), three: pipe(['y'], ['a']) }),
      'a',
    );
    expect(mapAt(out, 'service', 'pipelines')).toEqual({ one: pipe(['r'], ['b']) });
    expect(mapAt(out, 'connectors')).toEqual({});
    expect(Object.keys(mapAt(out, 'exporters'))).toEqual(['b']);
  });

  it('keeps a connector that still has both sides', () => {
    const out = withoutExporter(
      config({ one: pipe(['r'], ['x', 'a']), two: pipe(['x', 'y'], ['b']), three: pipe(['r'], ['y']) }),
      'a',
    );
    expect(Object.keys(mapAt(out, 'connectors'))).toEqual(['x', 'y']);
    expect(mapAt(out, 'service', 'pipelines', 'one')).toEqual(pipe(['r'], ['x']));
  });

  it('changes nothing for an unknown name, and never its input', () => {
    const before = config({ one: pipe(['r'], ['x', 'a']), two: pipe(['x'], ['y', 'b']), three: pipe(['y'], ['a']) });
    const copy = structuredClone(before);
    expect(withoutExporter(before, 'zzz')).toEqual(copy);
    withoutExporter(before, 'a');
    expect(before).toEqual(copy);
  });
});

describe('sampling', () => {
  it.each([
    [0.1, 10],
    [0, 0],
    [1, 100],
    [0.07, 7],
    [0.29, 29],
    [0.001, 0.1],
    [0.555, 55.5],
  ])('a rate of %d is %d percent', (rate, percent) => {
    const out = configured('opentelemetry-collector', quickstart({ genai: { sampling: { rate } } }));
    expect(mapAt(out, 'processors', 'probabilistic_sampler')['sampling_percentage']).toBe(percent);
  });

  it('comes after span metrics, which count every span', () => {
    const out = configured('opentelemetry-collector', quickstart());
    const [, entry] =
      Object.entries(mapAt(out, 'service', 'pipelines')).find(([, pipeline]) =>
        listAt(pipeline, 'exporters').includes('spanmetrics'),
      ) ?? [];
    expect(listAt(entry, 'receivers')).toEqual(['otlp']);
    expect(listAt(entry, 'processors')).not.toContain('probabilistic_sampler');
  });
});

describe('durations', () => {
  it.each([
    ['48h', '48h'],
    ['15d', '360h'],
    ['2w', '336h'],
    ['1y', '8760h'],
  ])('Tempo: %s becomes %s', (duration, hours) => {
    expect(goHours(duration)).toBe(hours);
    expect(
      mapAt(configured('tempo', quickstart({ tempo: { retention: duration } })), 'compactor', 'compaction')[
        'block_retention'
      ],
    ).toBe(hours);
  });

  it('Loki: the retention is used as it is', () => {
    expect(
      mapAt(configured('loki', quickstart({ loki: { retention: '30d' } })), 'limits_config')['retention_period'],
    ).toBe('30d');
  });
});

describe('without Prometheus', () => {
  it('Tempo writes no metrics', () => {
    const text = JSON.stringify(configured('tempo', without(['prometheus'])));
    expect(text).not.toContain('remote_write');
    expect(text).not.toContain('prometheus-server');
    expect(JSON.stringify(configured('tempo', quickstart()))).toContain('remote_write');
  });
});

describe('Prometheus', () => {
  const jobs = (config: Config): string[] =>
    listAt(configured('prometheus', config), 'scrape_configs').map((job) => (job as { job_name: string }).job_name);

  it.each(['alertmanager', 'loki', 'tempo', 'grafana', 'kube-state-metrics'] as const)(
    'has no scrape job for %s when that is off',
    (id) => {
      expect(jobs(quickstart())).toContain(id);
      expect(jobs(without([id]))).toEqual(jobs(quickstart()).filter((job) => job !== id));
    },
  );

  it('sends no alerts without Alertmanager, and labels series with cluster and environment', () => {
    expect(configured('prometheus', without(['alertmanager']))).not.toHaveProperty('alerting');
    const out = configured('prometheus', quickstart({ global: { clusterName: 'c1', environment: 'staging' } }));
    expect(out).toHaveProperty('alerting');
    expect(mapAt(out, 'global', 'external_labels')).toEqual({ cluster: 'c1', environment: 'staging' });
  });
});

describe('rule files', () => {
  const groups = (config: Config): RuleGroup[] =>
    Object.values(ruleFiles(config)).flatMap((text) => (parse(text) as { groups: RuleGroup[] }).groups);
  const names = (config: Config): string[] =>
    groups(config).flatMap((group) => group.rules.map((rule) => rule.alert ?? rule.record ?? ''));

  it('refer to the namespace of the installation', () => {
    const text = JSON.stringify(ruleFiles(quickstart({ namespace: 'obs' })));
    expect(text).not.toContain('NAMESPACE');
    expect(text).toContain('namespace=\\\\\\"obs\\\\\\"'.replaceAll('\\\\\\', '\\'));
  });

  it('contain the budget of the profile, if there is one', () => {
    expect(names(quickstart())).toContain('DailyBudgetExceeded');
    expect(names(quickstart({ genai: { cost: { budgetLimit: 0 } } }))).not.toContain('DailyBudgetExceeded');
  });

  it('watch Macs only with macos.enabled', () => {
    const macs = (config: Config): string[] => names(config).filter((name) => name.startsWith('Mac'));
    expect(macs(quickstart())).toEqual([]);
    expect(macs(quickstart({ macos: { enabled: true } }))).toEqual([
      'MacCpuTemperatureHigh',
      'MacThermalThrottling',
      'MacMemoryPressure',
      'MacCollectorStale',
      'MacSourceDown',
    ]);
  });

  it('have unique group names, because Prometheus refuses duplicates', () => {
    for (const [name, text] of Object.entries(ruleFiles(quickstart()))) {
      const list = (parse(text) as { groups: RuleGroup[] }).groups.map((group) => group.name);
      expect(new Set(list).size, name).toBe(list.length);
    }
  });

  it('do not alert on missing collectors if none is enabled', () => {
    const absent = (config: Config): boolean =>
      groups(config).some((group) =>
        group.rules.some((rule) => rule.expr.includes('absent(up{job="otel-collector"})')),
      );
    expect(absent(quickstart())).toBe(true);
    expect(absent(without(['opentelemetry-collector']))).toBe(false);
    expect(groups(without(['opentelemetry-collector'])).filter((group) => group.rules.length === 0)).toEqual([]);
  });
});

describe('images', () => {
  it.each([
    ['docker.io/grafana/loki:3.7.6', '', 'docker.io/grafana/loki:3.7.6'],
    ['docker.io/grafana/loki:3.7.6', 'r.example', 'r.example/grafana/loki:3.7.6'],
    ['docker.io/grafana/loki:3.7.6', 'r.example:5000/mirror', 'r.example:5000/mirror/grafana/loki:3.7.6'],
    ['localhost:5000/a/b@sha256:00', 'r.example', 'r.example/a/b@sha256:00'],
    ['localhost/a:1', 'r.example', 'r.example/a:1'],
    ['registry:5000/a', 'r.example', 'r.example/a'],
    ['grafana/loki:3', 'r.example', 'r.example/grafana/loki:3'],
    ['busybox', 'r.example', 'r.example/busybox'],
    ['busybox:1.36', 'r.example', 'r.example/busybox:1.36'],
    [
      'registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.20.0',
      'r.example',
      'r.example/kube-state-metrics/kube-state-metrics:v2.20.0',
    ],
  ])('%s in registry "%s" is %s', (reference, registry, image) => {
    expect(imageOf(reference, registry)).toBe(image);
  });

  it('are pinned to a version and name a registry', () => {
    for (const { image } of Object.values(CATALOG)) expect(image).toMatch(/^[a-z0-9.-]+\.[a-z]+\/.+:v?\d+\.\d+\.\d+$/);
  });
});

describe('the catalog', () => {
  it('lists the same components as the registry', () => {
    expect(COMPONENTS.map((component) => component.id).toSorted()).toEqual([...COMPONENT_IDS].toSorted());
    expect(Object.keys(CATALOG).toSorted()).toEqual([...PLACED_IDS].toSorted());
  });
});

describe('set', () => {
  it('copies, creates missing parents, and removes with undefined', () => {
    const before: JsonMap = { a: { b: 1 }, l: [1] };
    expect(set(before, ['a', 'c', 'd'], 2)).toEqual({ a: { b: 1, c: { d: 2 } }, l: [1] });
    expect(set(before, ['a', 'b'], undefined)).toEqual({ a: {}, l: [1] });
    expect(set(before, ['l', 'x'], 1)).toEqual({ a: { b: 1 }, l: { x: 1 } });
    expect(before).toEqual({ a: { b: 1 }, l: [1] });
  });
});

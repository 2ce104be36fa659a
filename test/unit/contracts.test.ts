import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChartName, PINS } from '../../src/charts/pins.ts';
import { upstreamReleases, upstreamValues } from '../contracts/lib/releases.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { type Chart, checkArchives, readChart } from '../contracts/lib/archive.ts';
import { type ChartFacts, knownCharts, readFacts, rendered, renderedNames } from '../contracts/lib/facts.ts';
import { differences, segments, unknownValues } from '../contracts/lib/paths.ts';
import { imagesOf, objectFacts } from '../contracts/lib/render.ts';
import { closedPaths, paths, valueTree } from '../contracts/lib/tree.ts';

const run = promisify(execFile);
const names = Object.keys(PINS) as ChartName[];
const isPin = (chart: string): chart is ChartName => chart in PINS;
const factsOf = (chart: string): ChartFacts | undefined => (isPin(chart) ? readFacts(chart) : undefined);

describe('facts of the pinned charts', () => {
  it('exist for every pinned chart at its pinned version, and for no other chart', () => {
    expect(knownCharts().toSorted()).toEqual(names.toSorted());
    expect(names.map((name) => `${name} ${readFacts(name).version}`)).toEqual(
      names.map((name) => `${name} ${PINS[name].version}`),
    );
  });

  it('every pin has its chart name, and a version, address and digest in the right format', () => {
    for (const [name, { chart, version, repo, oci, digest }] of Object.entries(PINS)) {
      expect(chart).toBe(name);
      expect(version).toMatch(/^v?\d+\.\d+\.\d+$/);
      expect(repo).toMatch(/^https:\/\//);
      if (oci) expect(oci).toMatch(new RegExp(`^oci://.*/${name}$`));
      if (digest) expect(digest).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('contain the values of a dependency whose version differs from its own pin', () => {
    for (const name of names)
      for (const text of readFacts(name).dependencies) {
        const [dependency = '', version] = text.split(/@| as /);
        if (isPin(dependency) && PINS[dependency].version !== version)
          expect(readFacts(name).values.join('\n'), text).toContain(`${dependency}.`);
      }
  });

  it('contain closed schemas, CRDs and images as upstream documents them', () => {
    expect(readFacts('opentelemetry-collector').schemaClosed).toContain('');
    expect(readFacts('kube-prometheus-stack').crds).toContain('prometheusrules.monitoring.coreos.com');
    expect(readFacts('opentelemetry-operator').crds).toHaveLength(4);
    expect(readFacts('grafana').images).toContain('docker.io/grafana/grafana:13.2.0');
  });
});

describe('upstream releases of the profiles', () => {
  it('set only values that their charts read', () => {
    expect(
      upstreamValues().flatMap((release) =>
        unknownValues(readFacts(release.chart), release.values, factsOf).map((text) => `${release.case}: ${text}`),
      ),
    ).toEqual([]);
  });

  it('are all rendered in the facts, without stale renderings', () => {
    const wanted = upstreamReleases().map((release) => `${release.chart} ${release.case}`);
    const held = names.flatMap((name) =>
      Object.keys(readFacts(name).renders).map((renderCase) => `${name} ${renderCase}`),
    );
    expect(held.toSorted()).toEqual(wanted.toSorted());
  });
});

const known = (values: string[], more: Partial<ChartFacts> = {}): ChartFacts => ({
  chart: 'sample',
  version: '1.0.0',
  appVersion: '1',
  kubeVersion: '',
  dependencies: [],
  values,
  schemaClosed: [],
  crds: [],
  images: [],
  renders: {},
  ...more,
});

describe('unknownValues', () => {
  const none = (): undefined => undefined;
  const facts = known(['server.replicas', 'server.labels.*', 'grafana\\.ini.*', 'config.retention']);

  it('accepts known values, any key below an open map, and empty sections', () => {
    const values = {
      server: { replicas: 2, labels: { 'example.com/team': 'a', deep: { er: [1] } } },
      'grafana.ini': { server: { root_url: 'x' } },
      config: null,
    };
    expect(unknownValues(facts, values, none)).toEqual([]);
    expect(unknownValues(facts, { server: {} }, none)).toEqual([]);
  });

  it('reports an unknown key at any depth, and a key below a plain value', () => {
    expect(unknownValues(facts, { server: { replica: 2 }, sever: { replicas: 1 } }, none)).toEqual([
      'sample 1.0.0 has no value server.replica',
      'sample 1.0.0 has no value sever.replicas',
    ]);
    expect(unknownValues(facts, { config: { retention: { days: 3 } }, grafana: { ini: {} } }, none)).toHaveLength(2);
  });

  it('refuses a plain value where the chart has a map', () => {
    expect(unknownValues(facts, { server: 3 }, none)).toEqual(['sample 1.0.0: server is a map, not 3']);
  });

  it('checks a dependency against its own facts, under its alias and only at its version', () => {
    const inner = known(['size'], { chart: 'inner', version: '2.0.0' });
    const outer = known(['top'], { dependencies: ['inner@2.0.0 as store'] });
    const lookup = (chart: string): ChartFacts | undefined => (chart === 'inner' ? inner : undefined);
    expect(unknownValues(outer, { store: { size: 1 } }, lookup)).toEqual([]);
    expect(unknownValues(outer, { store: { sizes: 1 } }, lookup)).toEqual(['sample 1.0.0 has no value store.sizes']);
    expect(unknownValues(outer, { inner: { size: 1 } }, lookup)).toHaveLength(1);
    expect(
      unknownValues(known([], { dependencies: ['inner@2.1.0 as store'] }), { store: { size: 1 } }, lookup),
    ).toHaveLength(1);
  });

  it('finds common mistakes in values of the real charts', () => {
    const wrong = (chart: ChartName, values: Parameters<typeof unknownValues>[1]): string[] =>
      unknownValues(readFacts(chart), values, factsOf);
    expect(wrong('tempo', { storage: { trace: { backend: 's3' } } })).toHaveLength(1);
    expect(wrong('tempo', { tempo: { storage: { trace: { backend: 's3' } } } })).toEqual([]);
    expect(wrong('jaeger', { collector: { replicaCount: 2 } })).toHaveLength(1);
    expect(wrong('opentelemetry-operator', { kubeRBACProxy: { enabled: false } })).toHaveLength(1);
    expect(wrong('opentelemetry-collector', { serviceMonitor: { enabled: true, interval: '15s' } })).toHaveLength(1);
    expect(
      wrong('kube-prometheus-stack', { prometheus: { prometheusSpec: { retention: '7d', retentoin: '7d' } } }),
    ).toHaveLength(1);
    expect(
      wrong('kube-prometheus-stack', {
        grafana: { adminPassword: 'x', 'grafana.ini': { server: {} } },
        'kube-state-metrics': { metricLabelsAllowlist: [] },
      }),
    ).toEqual([]);
    expect(wrong('kube-prometheus-stack', { grafana: { adminPasword: 'x' } })).toHaveLength(1);
    expect(wrong('loki', { singleBinary: { replica: 1 } })).toHaveLength(1);
    expect(wrong('loki', { singleBinary: { replicas: 1, persistence: { size: '5Gi' } } })).toEqual([]);
  });

  it('splits a path as helm --set does', () => {
    expect(segments('a.grafana\\.ini.b')).toEqual(['a', 'grafana.ini', 'b']);
  });
});

describe('valueTree', () => {
  const chart = (more: Partial<Chart>): Chart => ({
    name: 'x',
    version: '1.0.0',
    appVersion: '',
    kubeVersion: '',
    values: {},
    templates: [],
    crds: [],
    dependencies: [],
    ...more,
  });
  const pathsOf = (one: Chart): string[] => paths(valueTree(one, () => false));

  it('lists leaves, and treats empty maps, lists and null as open', () => {
    expect(pathsOf(chart({ values: { a: { b: 1, c: {} }, d: [1], e: null, 'f.g': 'x' } }))).toEqual([
      'a.b',
      'a.c.*',
      'd.*',
      'e.*',
      'f\\.g',
    ]);
  });

  it('treats maps that Kubernetes defines as open', () => {
    expect(
      pathsOf(
        chart({ values: { affinity: { podAntiAffinity: { x: 1 } }, podAnnotations: { a: 'b' }, resource: { a: 1 } } }),
      ),
    ).toEqual(['affinity.*', 'podAnnotations.*', 'resource.a']);
  });

  it('adds values that only templates read, and treats maps that they print as a whole as open', () => {
    const templates = [
      '{{ .Values.image.tag }} {{ toYaml .Values.all }}{{ with .Values.sec }}{{ toYaml . }}{{ end }}' +
        '{{ with .Values.plain }}{{ .x }}{{ end }}',
    ];
    const values = { image: { name: 'n' }, all: { path: '/' }, sec: { uid: 1 }, plain: { x: 1 } };
    expect(pathsOf(chart({ values, templates }))).toEqual(['all.*', 'image.name', 'image.tag.*', 'plain.x', 'sec.*']);
  });

  it('ignores template comments and reads quoted keys', () => {
    expect(pathsOf(chart({ templates: ['{{/* .Values.old */}}{{ index .Values "grafana.ini" "x" }}'] }))).toEqual([
      'grafana\\.ini.x.*',
    ]);
  });

  it('adds keys of the schema, follows references, and is closed where the schema is closed', () => {
    const schema = {
      additionalProperties: false,
      properties: {
        mode: { enum: ['a'], type: 'string' },
        loose: { properties: { x: { type: 'string' } } },
        box: { $ref: '#/$defs/box' },
        free: { type: 'object' },
      },
      $defs: { box: { additionalProperties: false, properties: { size: { type: 'integer' } } } },
    };
    const tree = valueTree(
      chart({
        values: { box: { size: 1 } },
        schema,
        templates: ['{{ toYaml .Values.box }}{{ .Values.stray }}{{ .Values.loose.y }}'],
      }),
      () => false,
    );
    expect(paths(tree)).toEqual(['box.size', 'free.*', 'loose.x', 'loose.y.*', 'mode']);
    expect(closedPaths(tree)).toEqual(['', 'box']);
  });

  it('puts a subchart under its alias and its globals at the top, and leaves out pinned subcharts', () => {
    const inner = chart({ name: 'inner', values: { size: 1, global: { registry: 'r' } } });
    const outer = chart({
      values: { own: true },
      dependencies: [
        { name: 'inner', version: '1.0.0', alias: 'store', condition: 'store.enabled', remote: false, chart: inner },
      ],
    });
    expect(pathsOf(outer)).toEqual(['global.registry', 'own', 'store.enabled', 'store.size']);
    expect(paths(valueTree(outer, (name) => name === 'inner'))).toEqual(['own', 'store.enabled']);
  });
});

describe('renderings', () => {
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'n' },
    spec: { selector: { app: 's' }, ports: [{ name: 'http', port: 80, targetPort: 3000, protocol: 'TCP' }] },
  };
  const workload: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: { app: 'd' } },
      template: {
        spec: {
          initContainers: [{ name: 'i', image: 'r/i:1' }],
          containers: [{ name: 'c', image: 'r/c:1', args: ['--reloader-image=r/x:2', '--x=1'] }],
        },
      },
    },
  };
  const resource: KubeObject = {
    apiVersion: 'v1',
    kind: 'Prometheus',
    metadata: { name: 'p' },
    spec: { image: 'r/p:3' },
  };

  it('are reduced to names, ports, containers and selectors, without RBAC objects and tests', () => {
    const role: KubeObject = { apiVersion: 'v1', kind: 'ClusterRole', metadata: { name: 'r' } };
    const test: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 't', annotations: { 'helm.sh/hook': 'test' } },
      spec: { image: 'r/t:1' },
    };
    expect(objectFacts([service, workload, resource, role, test])).toEqual([
      { kind: 'Deployment', name: 'd', containers: { i: 'r/i:1', c: 'r/c:1' }, selector: { app: 'd' } },
      { kind: 'Prometheus', name: 'p', containers: { Prometheus: 'r/p:3' } },
      {
        kind: 'Service',
        name: 's',
        namespace: 'n',
        ports: [{ name: 'http', port: 80, targetPort: 3000 }],
        selector: { app: 's' },
      },
    ]);
    expect(imagesOf([service, workload, resource, test])).toEqual(['r/c:1', 'r/i:1', 'r/p:3', 'r/x:2']);
  });

  it('are found by case and kind; a case that was never rendered is an error', () => {
    const facts = known([], { renders: { 'k3s/s': objectFacts([service, workload]) } });
    expect(renderedNames(facts, 'k3s/s', 'Service')).toEqual(['s']);
    expect(rendered(facts, 'k3s/s', 'Service')[0]?.ports).toEqual([{ name: 'http', port: 80, targetPort: 3000 }]);
    expect(renderedNames(facts, 'k3s/s', 'StatefulSet')).toEqual([]);
    expect(() => renderedNames(facts, 'k3s/other', 'Service')).toThrow('was not rendered for k3s/other');
  });

  it('are compared: added and removed values, images and objects are listed', () => {
    const before = known(['a', 'b'], { images: ['r/a:1'], renders: { c: [{ kind: 'Service', name: 'old' }] } });
    const after = known(['a', 'c'], {
      version: '1.1.0',
      images: ['r/a:2'],
      renders: { c: [{ kind: 'Service', name: 'new' }] },
    });
    expect(differences(before, after)).toEqual([
      'sample: version 1.0.0 → 1.1.0',
      'sample: value - b',
      'sample: value + c',
      'sample: image - r/a:1',
      'sample: image + r/a:2',
      'sample: object - c Service old',
      'sample: object + c Service new',
    ]);
    expect(differences(after, after)).toEqual([]);
    expect(differences(undefined, after)).toEqual(['sample: new, 1.1.0']);
  });
});

describe('archives', () => {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-contracts-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const archive = join(dir, 'x-1.0.0.tgz');

  beforeAll(async () => {
    const source = mkdtempSync(join(dir, 'source-'));
    const put = async (path: string, text: string): Promise<void> => {
      await run('mkdir', ['-p', join(source, path, '..')]);
      writeFileSync(join(source, path), text);
    };
    await put(
      'x/Chart.yaml',
      'name: x\nversion: 1.0.0\nappVersion: 2\n' +
        'dependencies: [{name: in, alias: inside, repository: "https://example.com", condition: inside.on}]\n',
    );
    await put('x/values.yaml', 'base: &base {a: 1}\ncopy:\n  <<: *base\n');
    await put('x/crds/c.yaml', 'kind: CustomResourceDefinition\n');
    await put('x/charts/in/Chart.yaml', 'name: in\nversion: 0.1.0\n');
    await put('x/charts/in/values.yaml', '{size: 1}\n');
    await run('tar', ['-czf', archive, '-C', source, 'x']);
  });

  it('are read with their values, CRDs and subcharts', async () => {
    const chart = await readChart(archive);
    expect(chart).toMatchObject({
      name: 'x',
      version: '1.0.0',
      appVersion: '2',
      values: { copy: { a: 1 } },
      crds: ['kind: CustomResourceDefinition\n'],
    });
    expect(chart.dependencies).toMatchObject([
      {
        name: 'in',
        version: '0.1.0',
        alias: 'inside',
        condition: 'inside.on',
        remote: true,
        chart: { values: { size: 1 } },
      },
    ]);
  });

  it('are all named when they are missing', () => {
    const pin = { chart: 'x', version: '1.0.0', repo: '' };
    expect(() => checkArchives(dir, [pin])).not.toThrow();
    expect(() => checkArchives(dir, [pin, { ...pin, version: '2.0.0' }, { ...pin, chart: 'y' }])).toThrow(
      `${dir} has no x-2.0.0.tgz, y-1.0.0.tgz`,
    );
  });

  it('npm run contracts names missing archives without a stack trace', async () => {
    const failed = await run(process.execPath, ['scripts/contracts.mjs', '--charts', dir]).catch(
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(failed).toMatchObject({ code: 2 });
    expect(failed.stderr).toContain('grafana-12.11.1.tgz');
    expect(failed.stderr).not.toMatch(/\n\s+at /);
    const bare = await run(process.execPath, ['scripts/contracts.mjs']).catch(
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(bare.stderr).toContain('usage: npm run contracts');
  });
});

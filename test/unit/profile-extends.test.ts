import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { layersOf } from '../../src/commands/configure.ts';
import { readJournal } from '../../src/engine/state/journal.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { extended, fileLayer, profileLayer, profileNames } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { type Config, namespacesOf } from '../../src/profile/schema.ts';
import { NS, fakeCluster } from './support/cluster.ts';
import { quickstart } from './support/config.ts';

/** The package's profiles, and some for this test. */
const own = vi.hoisted(() => ({ profiles: '' }));
vi.mock('../../src/core/assets.ts', async (original) => {
  const assets = await original<typeof import('../../src/core/assets.ts')>();
  const assetPath = (...parts: string[]): string =>
    parts[0] === 'profiles' && own.profiles ? join(own.profiles, ...parts.slice(1)) : assets.assetPath(...parts);
  return { ...assets, assetPath };
});

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-extends-'));
cpSync('profiles', dir, { recursive: true });
own.profiles = dir;
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const profile = (name: string, text: string): void => writeFileSync(join(dir, `${name}.yaml`), text);
const file = (text: string): string => {
  const path = join(mkdtempSync(join(dir, 'file-')), 'mine.yaml');
  writeFileSync(path, text);
  return path;
};
const configOf = (flags: Parameters<typeof layersOf>[0]): Config => resolve(layersOf(flags, undefined));

profile('middle', 'extends: k3s\nprofile: middle\nloki: { retention: 48h, size: 7Gi }\n');
profile('top', 'extends: middle\nprofile: top\nloki: { size: 9Gi }\n');
profile('one', 'extends: two\n');
profile('two', 'extends: one\n');
profile('self', 'extends: self\n');

describe('extends', () => {
  it('applies the chain from the deepest profile to the nearest, which takes precedence', () => {
    expect(extended(profileLayer('top')).map((layer) => layer.source)).toEqual([
      'profile quickstart',
      'profile k3s',
      'profile middle',
      'profile top',
    ]);
    const config = configOf({ profile: 'top' });
    expect(config.profile).toBe('top');
    expect(config.loki).toMatchObject({ size: '9Gi', retention: '48h', chart: 'loki', namespace: 'monitoring' });
    expect(config.tempo.retention).toBe('720h');
    expect(config.genai).toEqual(quickstart().genai);
  });

  it('is not a setting of the result', () => {
    expect(configOf({ profile: 'top' })).not.toHaveProperty('extends');
  });

  it.each([
    ['two profiles', 'one', 'one → two → one'],
    ['a profile and itself', 'self', 'self → self'],
  ])('in a cycle of %s is refused, naming the cycle', (_name, base, circle) => {
    expect(() => configOf({ file: [file(`extends: ${base}\n`)] })).toThrow(
      `profiles extend each other in a cycle: ${circle}`,
    );
  });

  it('of an unknown profile is refused with the list of profiles', () => {
    expect(() => configOf({ file: [file('extends: k4s\n')] })).toThrow('there is no profile "k4s"');
    expect(profileNames()).toEqual(expect.arrayContaining(['quickstart', 'k3s', 'top']));
    expect(() => configOf({ file: [file('extends: ../k3s\n')] })).toThrow('there is no profile "../k3s"');
    expect(() => configOf({ file: [file('extends: [k3s]\n')] })).toThrow('extends takes the name of a profile');
  });

  it('in a file adds the profiles that it extends', () => {
    const config = configOf({ file: [file('extends: k3s\nprofile: mine\ngrafana: { size: 3Gi }\n')] });
    expect(config).toMatchObject({
      profile: 'mine',
      namespace: 'observability',
      grafana: { size: '3Gi', chart: 'grafana' },
    });
  });

  it('in a file is replaced by --profile', () => {
    const config = configOf({ profile: 'quickstart', file: [file('extends: k3s\ngrafana: { size: 3Gi }\n')] });
    expect(config).toMatchObject({ namespace: NS, grafana: { size: '3Gi', chart: 'genai-obs' } });
  });

  it('keeps line numbers of the file correct', () => {
    const path = file('extends: k3s\n\ngrafana:\n  sise: 3Gi\n');
    expect(() => configOf({ file: [path] })).toThrow(`${path} line 4: unknown setting "grafana.sise"`);
  });
});

describe('a setting that no profile contains', () => {
  it.each([
    ['grafana: { charts: grafana }\n', 'did you mean "grafana.chart"?'],
    ['loki: { namespaces: x }\n', 'did you mean "loki.namespace"?'],
    ['cert-manger: { enabled: true }\n', 'did you mean "cert-manager"?'],
    ['cert-manager: { enable: true }\n', 'did you mean "cert-manager.enabled"?'],
    ['global: { chart: x }\n', 'did you mean "global.charts"?'],
    ['extend: k3s\n', 'did you mean "extends"?'],
  ])('is suggested by "did you mean": %j', (text, next) => {
    let error: unknown;
    try {
      configOf({ file: [file(text)] });
    } catch (reason) {
      error = reason;
    }
    expect(error).toMatchObject({ parts: { next } });
  });

  it('is refused if the component does not support the chart', () => {
    expect(() => configOf({ file: [file('loki: { chart: tempo }\n')] })).toThrow(/line 1: loki\.chart is not valid/);
  });
});

describe('k3s', () => {
  const config = configOf({ profile: 'k3s' });

  it('has three namespaces, its home first, and enables the operator automatically', () => {
    expect(namespacesOf(config)).toEqual(['observability', 'monitoring', 'grafana']);
    expect(config['opentelemetry-operator'].enabled).toBe(true);
    expect(config['kube-prometheus-stack'].enabled).toBe(false);
  });

  it('applies custom resources after the webhook, and the webhook after operator and CRDs', () => {
    const plan = buildPlan(config);
    const needs = (id: string): string[] => plan.find((step) => step.id === id)?.needs ?? [];
    for (const id of ['resource/otel-gateway', 'resource/otel-node', 'resource/otel-cluster'])
      expect(needs(id)).toContain('webhook/opentelemetry-operator');
    expect(needs('webhook/opentelemetry-operator')).toContain('release/opentelemetry-operator');
    expect(needs('release/opentelemetry-operator')).toContain('crds/opentelemetry-operator');
  });

  it('is the same after it was written and read again', () => {
    expect(resolve([fileLayer(file(stringify(config)))])).toEqual(config);
  });
});

describe('the journal of an earlier version', () => {
  it('gets new settings with their defaults', async () => {
    const { global, loki, ...rest } = quickstart();
    const old: Record<string, unknown> = Object.fromEntries(
      Object.entries(rest).filter(([key]) => key in profileLayer('quickstart').data),
    );
    const cluster = fakeCluster();
    cluster.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'genai-obs-journal', namespace: NS },
      data: {
        'journal.json': JSON.stringify({ schema: 1, tool: '0.0.1', cluster: 'c', found: [], steps: {} }),
        'config.yaml': stringify({
          ...old,
          global: { ...global, charts: undefined },
          loki: { enabled: loki.enabled, retention: '48h', size: loki.size },
        }),
      },
    });
    const config = (await readJournal(cluster.kube, NS))?.config;
    expect(config).toEqual(quickstart({ loki: { retention: '48h' } }));
    expect(buildPlan(config!)).toEqual(buildPlan(quickstart({ loki: { retention: '48h' } })));
  });
});

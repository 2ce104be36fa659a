import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { layersOf, saveConfig } from '../../src/commands/configure.ts';
import { ObsError } from '../../src/core/errors.ts';
import type { Journal } from '../../src/engine/state/journal.ts';
import { flagLayer, secondsOf } from '../../src/profile/flags.ts';
import { merge } from '../../src/core/json.ts';
import { fileLayer, profileLayer, profileNames } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { OPTIONAL, quickstart, without } from './support/config.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-test-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let files = 0;
function file(text: string): string {
  const path = join(dir, `profile-${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

function refusal(use: () => unknown): { what: string; next: string; exit: number } {
  try {
    use();
  } catch (error) {
    if (error instanceof ObsError) return { what: error.parts.what, next: error.parts.next ?? '', exit: error.exit };
    throw error;
  }
  throw new Error('nothing was refused');
}

const withFile = (text: string) => resolve([profileLayer('quickstart'), fileLayer(file(text))]);

describe('merge', () => {
  it('merges maps and replaces everything else', () => {
    const base = { a: { b: 1, c: [1, 2] }, d: 'x' };
    expect(merge(base, { a: { c: [3] }, e: null })).toEqual({ a: { b: 1, c: [3] }, d: 'x', e: null });
    expect(merge(base, { a: 'no map' })).toEqual({ a: 'no map', d: 'x' });
    expect(merge({ d: 'x' }, { d: { y: 1 } })).toEqual({ d: { y: 1 } });
    expect(base).toEqual({ a: { b: 1, c: [1, 2] }, d: 'x' });
  });
});

describe('quickstart', () => {
  it('has the documented defaults', () => {
    const config = quickstart();
    expect(config.global.environment).toBe('production');
    expect(config['opentelemetry-collector']).toMatchObject({ enabled: true, replicaCount: 2 });
    expect(config.prometheus).toMatchObject({ enabled: true, server: { retention: '15d' } });
    expect(OPTIONAL.filter((id) => !config[id].enabled)).toEqual([]);
    expect(config.genai).toMatchObject({
      cost: { budgetLimit: 1000, prices: {} },
      sampling: { rate: 0.1, mode: 'head' },
      genops: { enabled: false },
    });
    expect(config.namespace).toBe('genai-observability');
  });

  it('survives a round trip through YAML', () => {
    const path = join(dir, 'saved.yaml');
    const config = quickstart({
      genai: { cost: { prices: { 'gpt-x': { input: 1, output: 2 } } } },
      loki: { enabled: false },
    });
    saveConfig(path, config);
    expect(resolve(layersOf({ file: [path] }, undefined))).toEqual(config);
    expect(config).not.toEqual(quickstart());
  });

  it('is one of the profiles', () => {
    expect(profileNames()).toContain('quickstart');
    expect(refusal(() => profileLayer('nope'))).toEqual({
      what: 'there is no profile "nope"',
      next: `choose one of: ${profileNames().join(', ')}`,
      exit: 2,
    });
    expect(refusal(() => profileLayer('../package')).exit).toBe(2);
  });
});

describe('layers', () => {
  it('later files take precedence over earlier ones, flags over files', () => {
    const [first, second] = [file('loki: { retention: 48h, size: 1Gi }'), file('loki: { retention: 72h }')];
    expect(resolve(layersOf({ file: [first, second] }, undefined)).loki).toMatchObject({
      enabled: true,
      retention: '72h',
      size: '1Gi',
    });
    expect(resolve(layersOf({ file: [first], retention: '3d', budget: '5' }, undefined))).toMatchObject({
      prometheus: { server: { retention: '3d' } },
      loki: { retention: '48h' },
      genai: { cost: { budgetLimit: 5 } },
    });
  });

  it('install without flags uses the installed configuration; a file or profile replaces it', () => {
    const journal = { config: quickstart({ loki: { retention: '9d' } }) } as Journal;
    expect(resolve(layersOf({}, journal)).loki.retention).toBe('9d');
    expect(resolve(layersOf({ budget: '7' }, journal))).toMatchObject({
      loki: { retention: '9d' },
      genai: { cost: { budgetLimit: 7 } },
    });
    expect(resolve(layersOf({ profile: 'quickstart' }, journal)).loki.retention).toBe('168h');
    expect(resolve(layersOf({ file: [file('tempo: { retention: 1d }')] }, journal)).loki.retention).toBe('168h');
  });

  it('an empty file changes nothing', () => {
    for (const text of ['', '# only a comment\n', '---\n']) expect(withFile(text)).toEqual(quickstart());
  });
});

describe('collectors without a backend', () => {
  const enabled = (ids: Parameters<typeof without>[0]) => {
    const config = without(ids);
    return OPTIONAL.filter((id) => id.startsWith('opentelemetry') && config[id].enabled);
  };
  it('are disabled with it', () => {
    expect(enabled(['opentelemetry-collector'])).toEqual([]);
    expect(enabled(['prometheus', 'loki'])).toEqual(['opentelemetry-collector']);
    expect(enabled(['prometheus', 'loki', 'tempo'])).toEqual([]);
    expect(enabled(['prometheus', 'tempo'])).toHaveLength(3);
    expect(enabled(['opentelemetry-node-collector'])).toEqual([
      'opentelemetry-collector',
      'opentelemetry-cluster-collector',
    ]);
  });
});

describe('bad files', () => {
  it('are reported with the line of an unknown key and the nearest known key', () => {
    const { what, next, exit } = refusal(() => withFile('# mine\n\nprometheus:\n  server:\n    retentoin: 3d\n'));
    expect(what).toMatch(/profile-\d+\.yaml line 5: unknown setting "prometheus\.server\.retentoin"$/);
    expect(next).toBe('did you mean "prometheus.server.retention"?');
    expect(exit).toBe(2);
  });

  it('are reported with the known keys if none is similar', () => {
    const { what, next } = refusal(() => withFile('storage:\n  enabled: true\n  completelyDifferent: 1\n'));
    expect(what).toContain('line 3: unknown setting "storage.completelyDifferent"');
    expect(next).toBe('known here: enabled, storageClass, s3');
  });

  it.each([
    ['genai: { sampling: { rate: 1.5 } }', /line 1: genai\.sampling\.rate is not valid/],
    ['genai: { sampling: { rate: -0.1 } }', /genai\.sampling\.rate/],
    ['genai: { sampling: { rate: "0.1" } }', /genai\.sampling\.rate.*number/i],
    ['genai: { cost: { budgetLimit: -1 } }', /budgetLimit/],
    ['genai:\n  cost:\n    prices:\n      gpt-x: { input: 1 }', /line 4: genai\.cost\.prices\.gpt-x\.output/],
    ['opentelemetry-collector: { replicaCount: 0 }', /replicaCount/],
    ['opentelemetry-collector: { replicaCount: 1.5 }', /replicaCount/],
    ['opentelemetry-collector: { replicaCount: 51 }', /replicaCount/],
    ['prometheus: { server: { retention: 15 days } }', /retention.*48h, 15d or 2w/],
    ['prometheus: { server: { retention: 6m } }', /retention/],
    ['prometheus: { server: { retention: 0d } }', /retention/],
    ['loki: { size: 8GB }', /size.*512Mi or 8Gi/],
    ['loki: { enabled: "yes" }', /loki\.enabled/],
    ['loki:', /loki is not valid/],
    ['namespace: Not_A_Label', /namespace.*DNS label/],
    [`namespace: ${'a'.repeat(64)}`, /namespace/],
    ['namespace: -a', /namespace/],
    ['global: { environment: "has space" }', /environment/],
    ['global: { clusterName: "" }', /clusterName/],
    ['global: { imageRegistry: "registry.example/" }', /imageRegistry.*trailing slash/],
    ['global: { imageRegistry: "https://registry example" }', /imageRegistry/],
    ['grafana: { service: { type: ExternalName } }', /grafana\.service\.type/],
  ])('%s', (text, expected) => {
    const { what, exit } = refusal(() => withFile(text));
    expect(what).toMatch(expected);
    expect(exit).toBe(2);
  });

  it.each([
    ['a: [1', /is not valid YAML/],
    ['- a\n- b', /must be a map of settings/],
    ['just text', /must be a map of settings/],
    ['a: 1\na: 2', /is not valid YAML/],
    ['loki: *nowhere', /is not valid YAML/],
  ])('%j is refused', (text, expected) => {
    expect(refusal(() => withFile(text))).toMatchObject({ what: expect.stringMatching(expected) as string, exit: 2 });
  });

  it('that do not exist', () => {
    expect(refusal(() => fileLayer(join(dir, 'nope.yaml')))).toMatchObject({
      what: expect.stringContaining('cannot be read') as string,
      exit: 2,
    });
    expect(refusal(() => fileLayer(dir)).exit).toBe(2);
  });
});

describe('flags', () => {
  it('become one layer', () => {
    const { data } = flagLayer({
      namespace: 'obs',
      storageClass: 'fast',
      persistence: false,
      retention: '3d',
      budget: '0',
      samplingRate: '0.5',
      expose: 'NodePort',
      registry: 'r.example/m',
      environment: 'staging',
      clusterName: 'c',
      gatewayReplicas: '3',
      disable: ['loki', 'tempo'],
    });
    expect(stringify(data)).toBe(
      stringify({
        namespace: 'obs',
        storage: { storageClass: 'fast', enabled: false },
        prometheus: { server: { retention: '3d' } },
        genai: { cost: { budgetLimit: 0 }, sampling: { rate: 0.5 } },
        grafana: { service: { type: 'NodePort' } },
        global: { imageRegistry: 'r.example/m', environment: 'staging', clusterName: 'c' },
        'opentelemetry-collector': { replicaCount: 3 },
        loki: { enabled: false },
        tempo: { enabled: false },
      }),
    );
  });

  it('that are not given set nothing', () => {
    expect(flagLayer({ persistence: true })).toEqual({ source: 'command line', data: {} });
  });

  it.each([
    [{ budget: 'much' }, '--budget takes a number, not "much"'],
    [{ budget: '' }, '--budget takes a number, not ""'],
    [{ budget: 'Infinity' }, '--budget takes a number, not "Infinity"'],
    [{ samplingRate: '10%' }, '--sampling-rate takes a number, not "10%"'],
    [{ gatewayReplicas: 'two' }, '--gateway-replicas takes a number, not "two"'],
    [{ disable: ['mimir'] }, 'there is no component "mimir"'],
  ])('%j is refused', (flags, what) => {
    expect(refusal(() => flagLayer(flags))).toMatchObject({ what, exit: 2 });
  });

  it('out of range are reported as from the command line', () => {
    expect(refusal(() => resolve([profileLayer('quickstart'), flagLayer({ samplingRate: '2' })])).what).toMatch(
      /^command line: genai\.sampling\.rate/,
    );
  });

  it('--timeout takes seconds', () => {
    expect(secondsOf('2.5')).toBe(2.5);
    for (const text of ['x', '', '0', '-1', 'Infinity', 'NaN']) expect(refusal(() => secondsOf(text)).exit).toBe(2);
  });
});

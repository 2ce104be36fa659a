import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CATALOG } from '../../src/parts/catalog.ts';
import { PHASES } from '../../src/parts/types.ts';
import { MANAGED_BY_LABEL, PART_OF_LABEL } from '../../src/core/labels.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { inputsOf } from '../../src/engine/steps/index.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { excludedSteps } from '../../src/engine/plan/select.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import type { ReleaseStep } from '../../src/engine/steps/release.ts';
import { COMPONENT_IDS, isEnabled } from '../../src/profile/schema.ts';
import { quickstart, subsets, without } from './support/config.ts';

const ids = (steps: Step[]): string[] => steps.map((step) => step.id);
const release = (steps: Step[], id: string): ReleaseStep => {
  const step = steps.find((candidate) => candidate.id === `release/${id}`);
  if (step?.kind !== 'release') throw new Error(`no release ${id}`);
  return step;
};
const objectsOf = (steps: Step[]): KubeObject[] =>
  steps.flatMap((step) => (step.kind === 'objects' ? step.objects : step.kind === 'secret' ? [step.object] : []));
const hashes = (steps: Step[]): Record<string, string> =>
  Object.fromEntries(steps.map((step) => [step.id, inputsOf(step)]));
/** Steps whose inputs differ between two plans. */
function touched(a: Step[], b: Step[]): string[] {
  const [before, after] = [hashes(a), hashes(b)];
  return ids(a)
    .filter((id) => before[id] !== after[id])
    .toSorted();
}

describe('the plan', () => {
  it('is pure: the same configuration gives the same plan, and is not modified', () => {
    const config = quickstart();
    const copy = structuredClone(config);
    expect(JSON.stringify(buildPlan(config))).toBe(JSON.stringify(buildPlan(copy)));
    expect(config).toEqual(copy);
  });

  it('has unique IDs, known phases, and only needs that exist', () => {
    for (const off of [[], ['grafana'], ['prometheus'], ['opentelemetry-collector'], [...COMPONENT_IDS]] as const) {
      const steps = buildPlan(without(off));
      expect(new Set(ids(steps)).size).toBe(steps.length);
      for (const step of steps) {
        expect(PHASES).toContain(step.phase);
        expect(
          step.needs.filter((id) => !ids(steps).includes(id)),
          step.id,
        ).toEqual([]);
      }
    }
  });

  it('has no cycle, starts with the preflight and ends with the verification', () => {
    const steps = buildPlan(quickstart());
    const done = new Set<string>();
    for (let before = -1; before !== done.size;) {
      before = done.size;
      for (const step of steps) if (step.needs.every((id) => done.has(id))) done.add(step.id);
    }
    expect([...done].toSorted()).toEqual(ids(steps).toSorted());
    expect(steps[0]).toMatchObject({ id: 'preflight', needs: [] });
    expect(steps.at(-1)).toMatchObject({ id: 'verify', needs: ids(steps).slice(0, -1) });
    for (const step of steps.slice(1))
      expect(step.needs, step.id).toContain(step.id === 'namespace' ? 'preflight' : 'namespace');
  });

  it('starts the backends in parallel: none waits for another release', () => {
    for (const step of buildPlan(quickstart()))
      if (step.kind === 'release') expect(step.needs.filter((id) => id.startsWith('release/'))).toEqual([]);
  });

  it('labels every object that genai-obs applies itself', () => {
    for (const object of objectsOf(buildPlan(quickstart()))) {
      expect(object.metadata.labels, object.metadata.name).toMatchObject({
        [PART_OF_LABEL]: 'genai-obs',
        [MANAGED_BY_LABEL]: 'genai-obs',
      });
    }
  });

  it('contains no secret: the password is generated when the step runs', () => {
    const step = buildPlan(quickstart()).find((candidate) => candidate.kind === 'secret');
    expect(step).toMatchObject({ keys: { 'admin-password': null, 'admin-user': 'admin' }, data: true });
    expect(step?.kind === 'secret' ? step.object : {}).not.toHaveProperty('data');
  });

  it('puts everything into the configured namespace', () => {
    const steps = buildPlan(quickstart({ namespace: 'obs' }));
    expect(
      objectsOf(steps).map((object) =>
        object.kind === 'Namespace' ? object.metadata.name : object.metadata.namespace,
      ),
    ).toEqual(objectsOf(steps).map(() => 'obs'));
    expect(JSON.stringify(steps)).not.toContain('genai-observability');
  });
});

describe('a disabled component', () => {
  it.each(COMPONENT_IDS)('%s leaves no release, claim, datasource or scrape job of its own in the plan', (id) => {
    const config = without([id]);
    const steps = buildPlan(config);
    expect(ids(steps)).not.toContain(`release/${id}`);
    const { claim, service } = CATALOG[id];
    if (claim) expect(ids(steps)).not.toContain(`claim/${claim.name}`);
    const data = Object.fromEntries(
      objectsOf(steps)
        .filter((object) => object.kind === 'ConfigMap')
        .map((object) => [object.metadata.name, object['data'] as Record<string, string>]),
    );
    if (id === 'grafana')
      expect(Object.keys(data).filter((name) => name.includes('dashboards') || name.includes('datasources'))).toEqual(
        [],
      );
    else
      expect(
        (
          parse(data['grafana-datasources']?.['datasources.yaml'] ?? '') as { datasources: { uid: string }[] }
        ).datasources.map((source) => source.uid),
      ).not.toContain(id);
    if (id === 'prometheus') return expect(data['prometheus-rules']).toBeUndefined();
    const jobs = (
      release(steps, 'prometheus').values['config'] as {
        scrape_configs: { job_name: string; static_configs?: { targets: string[] }[] }[];
      }
    ).scrape_configs;
    expect(jobs.map((job) => job.job_name)).not.toContain(id);
    if (!id.startsWith('opentelemetry')) expect(JSON.stringify(jobs)).not.toContain(`"${service.name}:`);
    return undefined;
  });

  it.each(COMPONENT_IDS)('%s disables only the components that depend on it', (id) => {
    const steps = buildPlan(without([id]));
    const gone = COMPONENT_IDS.filter((other) => !ids(steps).includes(`release/${other}`));
    expect(gone).toEqual(
      id === 'opentelemetry-collector' ? COMPONENT_IDS.filter((other) => other.startsWith('opentelemetry')) : [id],
    );
  });

  it('leaves a plan with all enabled releases, for every combination of backends', () => {
    for (const off of subsets(['prometheus', 'loki', 'tempo', 'grafana'] as const)) {
      const config = without(off);
      const releases = ids(buildPlan(config)).filter((id) => id.startsWith('release/'));
      expect(releases).toHaveLength(COMPONENT_IDS.filter((id) => isEnabled(config, id)).length);
    }
  });
});

describe('a changed setting', () => {
  const base = buildPlan(quickstart());
  it.each<[string, Parameters<typeof quickstart>[0], string[]]>([
    ['the budget', { genai: { cost: { budgetLimit: 5 } } }, ['release/prometheus', 'rules']],
    ['the sampling rate', { genai: { sampling: { rate: 0.5 } } }, ['release/opentelemetry-collector']],
    ['retention of Loki', { loki: { retention: '30d' } }, ['release/loki']],
    ['retention of Prometheus', { prometheus: { server: { retention: '30d' } } }, ['release/prometheus']],
    [
      'replicas of the gateway',
      { 'opentelemetry-collector': { replicaCount: 3 } },
      ['release/opentelemetry-collector'],
    ],
    ['the Service type of Grafana', { grafana: { service: { type: 'NodePort' } } }, ['release/grafana']],
    ['the size of a claim', { tempo: { size: '9Gi' } }, ['claim/tempo-data']],
    ['prices', { genai: { cost: { prices: { 'gpt-x': { input: 1, output: 2 } } } } }, ['release/prometheus', 'rules']],
  ])('%s: a new value changes only the steps that use it', (_name, over, expected) => {
    expect(touched(base, buildPlan(quickstart(over)))).toEqual(expected);
  });

  it('an image registry changes every release and nothing else', () => {
    expect(touched(base, buildPlan(quickstart({ global: { imageRegistry: 'r.example' } })))).toEqual(
      COMPONENT_IDS.map((id) => `release/${id}`).toSorted(),
    );
  });

  it('disabled storage removes every claim, and no release uses one', () => {
    const steps = buildPlan(quickstart({ storage: { enabled: false } }));
    expect(ids(steps).filter((id) => id.startsWith('claim/'))).toEqual([]);
    expect(steps.flatMap((step) => (step.kind === 'release' ? [step.values['storage']] : []))).toEqual(
      COMPONENT_IDS.map(() => ({ claim: '' })),
    );
  });

  it('a claim names a StorageClass only when one is configured', () => {
    const classes = (over: Parameters<typeof quickstart>[0]): unknown[] =>
      objectsOf(buildPlan(quickstart(over)))
        .filter((object) => object.kind === 'PersistentVolumeClaim')
        .map((object) => (object['spec'] as { storageClassName?: string }).storageClassName);
    expect(new Set(classes({}))).toEqual(new Set([undefined]));
    expect(new Set(classes({ storage: { storageClass: 'fast' } }))).toEqual(new Set(['fast']));
  });
});

/** Only add-ons have steps in the phase `operator`, and quickstart has none. */
const OWN_PHASES = PHASES.filter((phase) => phase !== 'operator');

describe('--only, --from, --skip', () => {
  const steps = buildPlan(quickstart());
  const kept = (flags: Parameters<typeof excludedSteps>[1]): string[] => [
    ...new Set(steps.filter((step) => !excludedSteps(steps, flags).has(step.id)).map((step) => step.phase)),
  ];

  it('select phases; the namespace is always included, because it holds the lock', () => {
    expect(kept({}).toSorted()).toEqual(OWN_PHASES.toSorted());
    expect(kept({ only: ['dashboards'] })).toEqual(['namespaces', 'dashboards']);
    expect(kept({ skip: ['preflight', 'verify', 'namespaces'] }).toSorted()).toEqual(
      OWN_PHASES.filter((phase) => phase !== 'preflight' && phase !== 'verify').toSorted(),
    );
    expect(kept({ from: 'dashboards' }).toSorted()).toEqual(['alerting', 'dashboards', 'namespaces', 'verify']);
    expect(kept({ only: ['dashboards', 'verify'], skip: ['verify'] })).toEqual(['namespaces', 'dashboards']);
  });

  it.each([{ only: ['nope'] }, { skip: ['nope'] }, { from: 'nope' }])(
    '%j is refused because the phase does not exist',
    (flags) => {
      expect(() => excludedSteps(steps, flags)).toThrow('there is no phase "nope"');
    },
  );
});

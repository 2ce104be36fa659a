import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { parseManifest } from '../../src/adapters/helm.ts';
import { kindInfo } from '../../src/adapters/kinds.ts';
import { assetPath } from '../../src/core/assets.ts';
import { hashOf } from '../../src/core/compare.ts';
import type { Json, JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import type { ReleaseStep } from '../../src/engine/steps/release.ts';
import { profileNames } from '../../src/profile/layers.ts';
import { COMPONENT_IDS, type ComponentId } from '../../src/profile/schema.ts';
import { profile, quickstart, without } from '../unit/support/config.ts';
import { golden } from '../unit/support/golden.ts';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'genai-obs-golden-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const KUBE_VERSION = 'v1.34.0';

/** Helm binaries by major version: `helm` of the PATH, and helm3 and helm4 where the test bed has put them there. */
const helms = new Map<number, string>();
for (const file of ['helm', 'helm3', 'helm4']) {
  try {
    const version = execFileSync(file, ['version', '--template', '{{.Version}}'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PATH: searchPath() },
    });
    const major = Number(/^v?(\d+)\./.exec(version)?.[1]);
    if (!helms.has(major)) helms.set(major, file);
  } catch {
    // Not installed.
  }
}
const helm = [...helms.values()][0];

function searchPath(): string {
  return [process.env['PATH'] ?? '', join(process.env['HOME'] ?? '', '.cache', 'genai-obs-bed', 'bin')].join(delimiter);
}

/** Releases of our own charts; upstream charts are not in this repository. */
const releases = (steps: Step[]): ReleaseStep[] =>
  steps.filter((step) => step.kind === 'release').filter((step) => step.chart.source === 'genai-obs');

const rendered = new Map<string, Promise<string>>();

/** Renders each input only once, because each rendering starts a process. */
function render(file: string, step: ReleaseStep, namespace: string, kube = KUBE_VERSION): Promise<string> {
  const key = hashOf([file, step.release, step.values, namespace, kube]);
  const text = rendered.get(key) ?? renderNow(file, step, [namespace, kube], join(dir, `${key}.json`));
  rendered.set(key, text);
  return text;
}

async function renderNow(
  file: string,
  step: ReleaseStep,
  [namespace, kube]: [string, string],
  values: string,
): Promise<string> {
  writeFileSync(values, JSON.stringify(step.values));
  const { stdout } = await run(
    file,
    [
      'template',
      step.release,
      assetPath('templates', step.chart.name),
      '--namespace',
      namespace,
      '--kube-version',
      kube,
      '--values',
      values,
    ],
    { env: { ...process.env, PATH: searchPath() }, maxBuffer: 16e6 },
  );
  return stdout;
}

/** Digests change with the rendered content, so they add nothing. */
const withoutDigests = (text: string): string => text.replaceAll(/[0-9a-f]{16,64}(?=["\n]|$)/gm, 'DIGEST');

/** Sorted objects with sorted keys, independent of the order of a helm version. */
function settled(manifest: string): string {
  const name = (object: KubeObject): string => `${object.kind}/${object.metadata.name}`;
  const objects = parseManifest(manifest).sort((a, b) => (name(a) < name(b) ? -1 : 1));
  return withoutDigests(
    objects.map((object) => stringify(object, { sortMapEntries: true, lineWidth: 0 })).join('---\n'),
  );
}

/** The part of a step in `golden/<profile>/plan.json`: shows added and removed steps, needs and objects. */
function outline(step: Step): JsonMap {
  const names = (objects: KubeObject[]): Json[] => objects.map((object) => `${object.kind}/${object.metadata.name}`);
  const more: Record<Step['kind'], (step: Step) => JsonMap> = {
    objects: (s) => (s.kind === 'objects' ? { objects: names(s.objects) } : {}),
    secret: (s) => (s.kind === 'secret' ? { objects: names([s.object]), keys: Object.keys(s.keys) } : {}),
    crds: (s) => (s.kind === 'crds' ? { chart: s.chart } : {}),
    webhook: (s) => (s.kind === 'webhook' ? { objects: names(s.objects) } : {}),
    release: (s) =>
      s.kind === 'release'
        ? {
            release: s.release,
            namespace: s.namespace,
            chart: `${s.chart.source}/${s.chart.name}`,
            workloads: s.workloads.map((w) => `${w.kind} ${w.namespace}/${w.name}`),
            values: Object.keys(s.values).toSorted(),
          }
        : {},
    prune: (s) => (s.kind === 'prune' ? { wanted: s.wanted } : {}),
    removal: (s) =>
      s.kind === 'removal' ? { release: s.release, objects: s.objects.map((ref) => `${ref.kind}/${ref.name}`) } : {},
    gate: () => ({}),
  };
  return {
    id: step.id,
    kind: step.kind,
    phase: step.phase,
    title: step.title,
    needs: step.needs,
    ...more[step.kind](step),
  };
}

const BACKENDS: ComponentId[] = ['prometheus', 'loki', 'tempo', 'grafana', 'opentelemetry-collector'];
const OPTIONAL = COMPONENT_IDS.filter((id) => !BACKENDS.includes(id));
const REGISTRY = 'registry.example:5000/mirror';

const VARIANTS = {
  quickstart: quickstart(),
  'no-persistence': quickstart({ storage: { enabled: false } }),
  registry: quickstart({ global: { imageRegistry: REGISTRY } }),
  minimal: without(OPTIONAL, { namespace: 'obs' }),
  production: profile('production'),
  'llm-platform': profile('llm-platform'),
  mtls: without(['prometheus', 'alertmanager', 'tempo', 'grafana', 'kube-state-metrics'], {
    'cert-manager': { existing: true },
    'opentelemetry-collector': { expose: { type: 'NodePort', nodePorts: { grpc: 30417 } } },
    security: { mtls: { enabled: true, clients: ['edge'] } },
  }),
};
/** Profiles with upstream charts: only the plan is compared. */
const PLANS = profileNames().filter((name) => !(name in VARIANTS));

describe.each(Object.entries(VARIANTS))('%s', (name, config) => {
  const steps = buildPlan(config);

  it('plan', () => {
    golden(`${name}/plan.json`, `${JSON.stringify(steps.map(outline), null, 2)}\n`);
  });

  it.skipIf(helm === undefined).each(
    releases(steps)
      .filter((step) => step.chart.source === 'genai-obs')
      .map((step) => [step.release, step] as const),
  )(`renders %s${helm ? '' : ' (skipped: no helm on the PATH)'}`, async (release, step) => {
    golden(`${name}/${release}.yaml`, settled(await render(helm ?? '', step, config.namespace)));
  });
});

it.each(PLANS)('%s: plan', (name) => {
  golden(`${name}/plan.json`, `${JSON.stringify(buildPlan(profile(name)).map(outline), null, 2)}\n`);
});

describe.skipIf(helms.size < 2)(
  `helm 3 and helm 4${helms.size < 2 ? ' (skipped: helm 3 and helm 4 are not both here)' : ''}`,
  () => {
    it.each(releases(buildPlan(VARIANTS.quickstart)).map((step) => [step.release, step] as const))(
      'render %s identically',
      async (_release, step) => {
        const [three, four] = await Promise.all(
          [...helms.values()].map((file) => render(file, step, 'genai-observability')),
        );
        expect(settled(four ?? '')).toBe(settled(three ?? ''));
      },
    );
  },
);

describe.skipIf(helm === undefined)(`the rendered charts${helm ? '' : ' (skipped: no helm on the PATH)'}`, () => {
  const all = async (
    config: typeof VARIANTS.quickstart,
  ): Promise<{ release: string; text: string; objects: KubeObject[] }[]> =>
    Promise.all(
      releases(buildPlan(config)).map(async (step) =>
        render(helm ?? '', step, config.namespace).then((text) => ({
          release: step.release,
          text,
          objects: parseManifest(text),
        })),
      ),
    );

  it('is valid YAML of known kinds, with our label and in our namespace', async () => {
    for (const { release, text, objects } of await all(VARIANTS.minimal)) {
      expect(
        parseAllDocuments(text).flatMap((document) => document.errors),
        release,
      ).toEqual([]);
      for (const object of objects) {
        expect(object.metadata.labels, `${object.kind} ${object.metadata.name}`).toMatchObject({
          'app.kubernetes.io/part-of': 'genai-obs',
        });
        if (kindInfo(object.kind).namespaced) expect(object.metadata.namespace ?? 'obs').toBe('obs');
        else expect(object.metadata.name).toBe(`obs-${release}`);
        expect(object.apiVersion).toBe(kindInfo(object.kind).apiVersion);
      }
    }
  });

  it('takes every image from the registry, and contains no upstream host', async () => {
    const images = (value: unknown): string[] =>
      value && typeof value === 'object'
        ? Object.entries(value).flatMap(([key, inner]) =>
            key === 'image' && typeof inner === 'string' ? [inner] : images(inner),
          )
        : [];
    for (const { release, text, objects } of await all(VARIANTS.registry)) {
      const found = objects.flatMap(images);
      expect(found.length, release).toBeGreaterThan(0);
      expect(found.filter((image) => !image.startsWith(`${REGISTRY}/`))).toEqual([]);
      expect(text).not.toMatch(/docker\.io|quay\.io|ghcr\.io|registry\.k8s\.io/);
    }
  });

  it('mounts no claim without persistence, and never creates one, because claims belong to no chart', async () => {
    for (const { text } of await all(VARIANTS['no-persistence']))
      expect(text).not.toMatch(/persistentVolumeClaim|volumeClaimTemplates/);
    for (const { objects } of await all(VARIANTS.quickstart))
      expect(objects.map((object) => object.kind)).not.toContain('PersistentVolumeClaim');
  });

  it('support the oldest Kubernetes of their kubeVersion, before 1.33 without volume metadata', async () => {
    const configs = await Promise.all(
      releases(buildPlan(VARIANTS.quickstart)).map((step) => render(helm ?? '', step, 'obs', 'v1.25.0')),
    );
    expect(configs).toHaveLength(COMPONENT_IDS.length);
    expect(configs.join('\n')).toContain('kubeletstats');
    expect(configs.join('\n')).not.toContain('extra_metadata_labels');
  });

  it('contains no Secret', async () => {
    for (const { release, objects } of await all(VARIANTS.quickstart))
      expect(
        objects.map((object) => object.kind),
        release,
      ).not.toContain('Secret');
  });
});

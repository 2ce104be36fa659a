import { setTimeout as sleep } from 'node:timers/promises';
import { versionPath } from '../../adapters/kinds.ts';
import { type Kube, KubeError } from '../../adapters/kube.ts';
import { type ChartName, type ChartRef, PINS } from '../../charts/pins.ts';
import { subsetDiff } from '../../core/compare.ts';
import { ObsError } from '../../core/errors.ts';
import { HOME_ANNOTATION, PART_OF, PART_OF_LABEL } from '../../core/labels.ts';
import { type JsonMap, type KubeObject, refOf } from '../../core/types.ts';
import { isOurs } from './ownership.ts';
import type { ApplyContext, ObjectChange, Observation, ReadContext, StepBase, StepKind } from './types.ts';

/** CRDs of an upstream chart, applied server-side: helm installs CRDs once and never upgrades them. */
export interface CrdsStep extends StepBase {
  kind: 'crds';
  chart: ChartName;
  values: JsonMap;
  /** Wait until the API serves them, because dependent steps create such objects; else a webhook step proves it. */
  served: boolean;
}

const refTo = (step: CrdsStep): ChartRef => ({ source: 'upstream', name: step.chart });

export const crds: StepKind<CrdsStep> = {
  inputs: (step) => [PINS[step.chart], step.values],
  charts: (step) => [refTo(step)],
  observe,

  async apply(step, context, { report }) {
    const rows = await withLive(step, context);
    const own = rows.filter(({ live }) => !live || isOurs(live)).map(({ wanted }) => wanted);
    if (own.length === 0) return;
    report(`server-side apply of ${own.length} CRDs`);
    await context.kube.apply(own);
    if (step.served) await waitServed(own, context);
  },

  async refuse(steps, context) {
    for (const step of steps)
      for (const { wanted, live } of await withLive(step, context)) {
        const missing = live && !isOurs(live) ? missingVersions(wanted, live) : [];
        if (live && missing.length) throw tooOld(step, wanted, live, missing);
      }
  },

  async export(step, writer) {
    writer.bundle(step, (await writer.definitions(refTo(step), step.values)).map(keepOnUninstall));
  },
};

/** Annotated so that helm keeps it: deleting a CRD deletes every object of its kind. */
function keepOnUninstall({ metadata, ...rest }: KubeObject): KubeObject {
  return {
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, 'helm.sh/resource-policy': 'keep' } },
  };
}

/** Records the chart and version that a CRD comes from. */
const CHART_ANNOTATION = 'genai-obs.io/chart';

const rendered = new WeakMap<CrdsStep, Promise<KubeObject[]>>();

/** Renders once per run: refusing, comparing and applying all need the CRDs. */
function definitions(step: CrdsStep, context: ReadContext): Promise<KubeObject[]> {
  const objects = rendered.get(step) ?? render(step, context);
  rendered.set(step, objects);
  objects.catch(() => rendered.delete(step));
  return objects;
}

/** The CRDs of a chart, with our label. @throws ObsError when the chart cannot be downloaded */
async function render(step: CrdsStep, context: ReadContext): Promise<KubeObject[]> {
  const chart = await context.charts.path(refTo(step));
  const { gitVersion } = await context.kube.json<{ gitVersion: string }>('/version');
  const target = { release: step.chart, namespace: context.namespace };
  const objects = await context.helm.template(target, chart, step.values, gitVersion, { crds: true });
  const ours = {
    [CHART_ANNOTATION]: `${step.chart}-${PINS[step.chart].version}`,
    [HOME_ANNOTATION]: context.namespace,
  };
  return objects
    .filter((object) => object.kind === 'CustomResourceDefinition')
    .map(({ metadata, ...rest }): KubeObject => ({
      ...withoutCaBundle(rest as KubeObject),
      metadata: {
        name: metadata.name,
        labels: { ...metadata.labels, [PART_OF_LABEL]: PART_OF },
        annotations: { ...metadata.annotations, ...ours },
      },
    }));
}

/** Every rendering generates another CA bundle; the webhook step sets the live one. */
function withoutCaBundle(crd: KubeObject): KubeObject {
  const spec = structuredClone(crd['spec']) as { conversion?: { webhook?: { clientConfig?: { caBundle?: string } } } };
  delete spec.conversion?.webhook?.clientConfig?.caBundle;
  return { ...crd, spec };
}

interface Version {
  name: string;
  served?: boolean;
}

const versionsOf = (crd: KubeObject): Version[] => (crd['spec'] as { versions?: Version[] }).versions ?? [];

/** Versions that we need and that an existing CRD does not serve. */
function missingVersions(wanted: KubeObject, live: KubeObject): string[] {
  const served = new Set(versionsOf(live).flatMap((one) => (one.served === false ? [] : [one.name])));
  return versionsOf(wanted).flatMap((one) => (one.served === false || served.has(one.name) ? [] : [one.name]));
}

interface Pair {
  wanted: KubeObject;
  live: KubeObject | undefined;
}

async function withLive(step: CrdsStep, context: ReadContext): Promise<Pair[]> {
  const all = await definitions(step, context);
  return Promise.all(all.map(async (wanted) => ({ wanted, live: await context.kube.read(refOf(wanted)) })));
}

/** CRDs of others that serve the versions we need are used as they are. */
async function observe(step: CrdsStep, context: ReadContext): Promise<Observation> {
  const rows = await withLive(step, context);
  const changes = rows.flatMap(({ wanted, live }): ObjectChange[] => {
    if (!live) return [{ ref: refOf(wanted), action: 'create', changes: [] }];
    if (!isOurs(live)) return [];
    const differences = subsetDiff({ metadata: wanted.metadata, spec: wanted['spec'] }, live);
    return differences.length ? [{ ref: refOf(wanted), action: 'change', changes: differences }] : [];
  });
  const foreign = rows.filter(({ live }) => live && !isOurs(live)).length;
  const detail = foreign
    ? { detail: `${foreign} of ${rows.length} belong to somebody else and serve the versions we need` }
    : {};
  if (changes.length === 0) return { state: 'done', changes, ...detail };
  return { state: changes.some((one) => one.action === 'create') ? 'absent' : 'drifted', changes, ...detail };
}

/** A CRD of somebody else lacks a version that we need; applying ours would adopt it. */
function tooOld({ chart }: CrdsStep, wanted: KubeObject, live: KubeObject, missing: string[]): ObsError {
  const { name } = wanted.metadata;
  return new ObsError({
    what: 'a CustomResourceDefinition belongs to somebody else and is too old',
    object: `CustomResourceDefinition ${name}`,
    cause:
      `${ownerOf(live)} created it; it does not serve ${missing.join(', ')}, ` +
      `which ${chart} ${PINS[chart].version} needs`,
    next: `let its owner upgrade it, or hand it over: kubectl label crd ${name} ${PART_OF_LABEL}=${PART_OF}`,
  });
}

function ownerOf({ metadata }: KubeObject): string {
  const { annotations = {}, managedFields = [] } = metadata;
  const release = annotations['meta.helm.sh/release-name'];
  if (release) return `helm release ${annotations['meta.helm.sh/release-namespace'] ?? ''}/${release}`;
  return managedFields[0]?.manager ?? 'somebody';
}

/** Polls the API's resource lists, which are short; the CRDs themselves are half a megabyte each. @throws ObsError */
async function waitServed(all: KubeObject[], { kube, signal, timeout }: ApplyContext): Promise<void> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const missing = await firstUnserved(all, kube);
    if (!missing) return;
    if (Date.now() > deadline || signal.aborted)
      throw new ObsError({
        what: 'the API server does not serve a new CustomResourceDefinition',
        object: `CustomResourceDefinition ${missing.metadata.name}`,
        next: `kubectl describe crd ${missing.metadata.name}; then run install again: it resumes`,
      });
    await sleep(200);
  }
}

/** The first CRD with a version that the API does not list. @throws KubeError */
async function firstUnserved(all: KubeObject[], kube: Kube): Promise<KubeObject | undefined> {
  const listed = new Map<string, Promise<Set<string>>>();
  for (const crd of all) {
    const { group, names } = crd['spec'] as { group: string; names: { plural: string } };
    for (const { name, served } of versionsOf(crd)) {
      if (served === false) continue;
      const path = versionPath(`${group}/${name}`);
      const list = listed.get(path) ?? pluralsAt(path, kube);
      listed.set(path, list);
      if (!(await list).has(names.plural)) return crd;
    }
  }
  return undefined;
}

/** Empty while no CRD of the version is served. @throws KubeError */
async function pluralsAt(path: string, kube: Kube): Promise<Set<string>> {
  try {
    const { resources } = await kube.json<{ resources: { name: string }[] }>(path);
    return new Set(resources.map(({ name }) => name));
  } catch (error) {
    if (error instanceof KubeError && (error.status === 404 || error.status === 503)) return new Set();
    throw error;
  }
}

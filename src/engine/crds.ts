import { versionPath } from '../adapters/kinds.ts';
import { type Kube, KubeError } from '../adapters/kube.ts';
import { PINS } from '../charts/pins.ts';
import { subsetDiff } from '../core/compare.ts';
import { ObsError } from '../core/errors.ts';
import { HOME_ANNOTATION, PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import { sleep } from '../core/sleep.ts';
import type { KubeObject } from '../core/types.ts';
import { refOf } from '../core/types.ts';
import type { Hands } from './apply.ts';
import { isOurs } from './foreign.ts';
import type { Eyes } from './observe.ts';
import type { CrdsStep, ObjectChange, Observation, Step } from './types.ts';

/** Which chart and version a definition is of. */
const CHART_ANNOTATION = 'genai-obs.io/chart';

const rendered = new WeakMap<CrdsStep, Promise<KubeObject[]>>();

/** Rendered once in a run: looking whose they are, comparing and applying all need them. */
function definitions(
  step: CrdsStep,
  eyes: Pick<Eyes, 'kube' | 'helm' | 'charts' | 'namespace'>,
): Promise<KubeObject[]> {
  const objects = rendered.get(step) ?? render(step, eyes);
  rendered.set(step, objects);
  objects.catch(() => rendered.delete(step));
  return objects;
}

/** The definitions of a chart, labelled as ours. @throws ObsError when the chart cannot be had */
async function render(
  step: CrdsStep,
  eyes: Pick<Eyes, 'kube' | 'helm' | 'charts' | 'namespace'>,
): Promise<KubeObject[]> {
  const chart = await eyes.charts.path({ source: 'upstream', name: step.chart });
  const { gitVersion } = await eyes.kube.json<{ gitVersion: string }>('/version');
  const objects = await eyes.helm.template(
    { release: step.chart, namespace: eyes.namespace },
    chart,
    step.values,
    gitVersion,
    { crds: true },
  );
  return objects
    .filter((object) => object.kind === 'CustomResourceDefinition')
    .map(({ metadata, ...rest }): KubeObject => ({
      ...withoutAuthority(rest as KubeObject),
      metadata: {
        name: metadata.name,
        labels: { ...metadata.labels, [PART_OF_LABEL]: PART_OF },
        annotations: {
          ...metadata.annotations,
          [CHART_ANNOTATION]: `${step.chart}-${PINS[step.chart].version}`,
          [HOME_ANNOTATION]: eyes.namespace,
        },
      },
    }));
}

/** Made anew by each rendering; set once the webhook serves (conversion.ts). */
function withoutAuthority(crd: KubeObject): KubeObject {
  const spec = structuredClone(crd['spec']) as { conversion?: { webhook?: { clientConfig?: { caBundle?: string } } } };
  delete spec.conversion?.webhook?.clientConfig?.caBundle;
  return { ...crd, spec };
}

interface Version {
  name: string;
  served?: boolean;
}

const versionsOf = (crd: KubeObject): Version[] => (crd['spec'] as { versions?: Version[] }).versions ?? [];

/** Versions that we need and an existing definition does not serve. */
function lacking(wanted: KubeObject, live: KubeObject): string[] {
  const served = new Set(versionsOf(live).flatMap((one) => (one.served === false ? [] : [one.name])));
  return versionsOf(wanted).flatMap((one) => (one.served === false || served.has(one.name) ? [] : [one.name]));
}

async function pairs(
  step: CrdsStep,
  eyes: Pick<Eyes, 'kube' | 'helm' | 'charts' | 'namespace'>,
): Promise<{ wanted: KubeObject; live: KubeObject | undefined }[]> {
  const all = await definitions(step, eyes);
  return Promise.all(all.map(async (wanted) => ({ wanted, live: await eyes.kube.read(refOf(wanted)) })));
}

/** What server-side apply would make of them. Definitions of others that serve what we need are used as they are. */
export async function compareCrds(step: CrdsStep, eyes: Eyes): Promise<Observation> {
  const rows = await pairs(step, eyes);
  const changes = rows.flatMap(({ wanted, live }): ObjectChange[] => {
    if (!live) return [{ ref: refOf(wanted), action: 'create', changes: [] }];
    if (!isOurs(live)) return [];
    const differences = subsetDiff({ metadata: wanted.metadata, spec: wanted['spec'] }, live);
    return differences.length ? [{ ref: refOf(wanted), action: 'change', changes: differences }] : [];
  });
  const foreign = rows.filter(({ live }) => live && !isOurs(live)).length;
  const detail = foreign ? { detail: `${foreign} of ${rows.length} are somebody else's and serve what is needed` } : {};
  if (changes.length === 0) return { state: 'done', changes, ...detail };
  return { state: changes.some((one) => one.action === 'create') ? 'absent' : 'drifted', changes, ...detail };
}

/**
 * Definitions that somebody else owns and that lack a version we need: applying ours would take them over.
 * @throws ObsError naming the definition and its owner
 */
export async function refuseForeignCrds(
  steps: Step[],
  eyes: Pick<Eyes, 'kube' | 'helm' | 'charts' | 'namespace'>,
): Promise<void> {
  for (const step of steps) {
    if (step.kind !== 'crds') continue;
    for (const { wanted, live } of await pairs(step, eyes)) {
      const missing = live && !isOurs(live) ? lacking(wanted, live) : [];
      if (!live || missing.length === 0) continue;
      throw new ObsError({
        what: 'a CustomResourceDefinition belongs to somebody else and is too old',
        object: `CustomResourceDefinition ${wanted.metadata.name}`,
        cause: `${ownerOf(live)} made it; it does not serve ${missing.join(', ')}, which ${step.chart} ${PINS[step.chart].version} needs`,
        next: `let its owner upgrade it, or hand it over: kubectl label crd ${wanted.metadata.name} ${PART_OF_LABEL}=${PART_OF}`,
      });
    }
  }
}

function ownerOf({ metadata }: KubeObject): string {
  const { annotations = {}, managedFields = [] } = metadata;
  const release = annotations['meta.helm.sh/release-name'];
  if (release) return `helm release ${annotations['meta.helm.sh/release-namespace'] ?? ''}/${release}`;
  return managedFields[0]?.manager ?? 'somebody';
}

/** Creates and upgrades our definitions, and waits, where the step says so, until the API serves them. @throws ObsError */
export async function applyCrds(step: CrdsStep, hands: Hands, report: (detail: string) => void): Promise<void> {
  const own = (await pairs(step, hands)).filter(({ live }) => !live || isOurs(live)).map(({ wanted }) => wanted);
  if (own.length === 0) return;
  report(`server-side apply of ${own.length} definitions`);
  await hands.kube.apply(own);
  if (step.served) await untilServed(own, hands);
}

/** Asked of the API's own list of its kinds, as helm asks: it is short, where the definitions themselves are half a megabyte each. @throws ObsError */
async function untilServed(crds: KubeObject[], { kube, signal, timeout }: Hands): Promise<void> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const missing = await notServed(crds, kube);
    if (!missing) return;
    if (Date.now() > deadline || signal.aborted)
      throw new ObsError({
        what: 'the API server does not serve a new definition',
        object: `CustomResourceDefinition ${missing.metadata.name}`,
        next: `kubectl describe crd ${missing.metadata.name}; then run the same install again: it carries on`,
      });
    await sleep(200);
  }
}

/** The first definition of which a version is not in the API's list. @throws KubeError */
async function notServed(crds: KubeObject[], kube: Kube): Promise<KubeObject | undefined> {
  const listed = new Map<string, Promise<Set<string>>>();
  for (const crd of crds) {
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

/** None while no definition of the version is served. @throws KubeError */
async function pluralsAt(path: string, kube: Kube): Promise<Set<string>> {
  try {
    const { resources } = await kube.json<{ resources: { name: string }[] }>(path);
    return new Set(resources.map(({ name }) => name));
  } catch (error) {
    if (error instanceof KubeError && (error.status === 404 || error.status === 503)) return new Set();
    throw error;
  }
}

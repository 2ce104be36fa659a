import type { StoredRelease } from '../adapters/helm.ts';
import type { Kube } from '../adapters/kube.ts';
import { ObsError } from '../core/errors.ts';
import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import type { ReleaseStep, Step } from './types.ts';

export function isOurs(object: KubeObject): boolean {
  return object.metadata.labels?.[PART_OF_LABEL] === PART_OF;
}

/** A release of somebody else may have the name of one of ours. */
export function isOurRelease(release: StoredRelease): boolean {
  const { objects, values } = release.payload();
  // Not every upstream chart puts labels on every object; the values that we gave always hold ours.
  return objects.some(isOurs) || JSON.stringify(values).includes(`"${PART_OF_LABEL}":"${PART_OF}"`);
}

/**
 * What somebody else made under a name of ours is refused before anything is changed: applying would take it over, `helm upgrade`
 * would replace its contents, and uninstall would delete it. The namespace and secrets may be there before us: they are used, never labelled.
 * @throws ObsError naming the object
 */
export async function refuseForeign(
  steps: Step[],
  kube: Kube,
  namespace: string,
  releases: Map<string, StoredRelease>,
): Promise<void> {
  for (const step of steps) {
    const stored = step.kind === 'release' ? releases.get(`${step.namespace}/${step.release}`) : undefined;
    if (stored && stored.status !== 'uninstalled' && !isOurRelease(stored))
      throw taken(`release ${stored.namespace}/${stored.name}`, `helm -n ${stored.namespace} uninstall ${stored.name}`);
  }
  const wanted = steps
    .flatMap((step) => (step.kind === 'objects' ? step.objects : []))
    .filter((object) => object.kind !== 'Namespace');
  const live = await Promise.all(wanted.map((object) => kube.read(refOf(object))));
  const foreign = live.find((object) => object && !isOurs(object));
  if (foreign)
    throw taken(
      refText(refOf(foreign)),
      `kubectl -n ${namespace} delete ${foreign.kind.toLowerCase()} ${foreign.metadata.name}`,
    );
}

/** Somebody else's object that does the same for the whole cluster. @throws KubeError */
export async function providedBy(step: ReleaseStep, kube: Kube): Promise<KubeObject | undefined> {
  const live = step.provided && (await kube.read(step.provided.ref));
  const annotations = live?.metadata.annotations ?? {};
  const ours =
    annotations['meta.helm.sh/release-name'] === step.release &&
    annotations['meta.helm.sh/release-namespace'] === step.namespace;
  return live && !ours && !isOurs(live) ? live : undefined;
}

/**
 * What the cluster has already is used, not installed beside it; so it must be new enough. One that does not tell its version is taken.
 * @throws ObsError naming its version and the one that is needed
 */
export async function refuseOldProvided(
  steps: Step[],
  kube: Kube,
  releases: Map<string, StoredRelease>,
): Promise<void> {
  for (const step of steps) {
    if (step.kind !== 'release' || !step.provided?.version || releases.has(`${step.namespace}/${step.release}`))
      continue;
    const { label, minimum } = step.provided.version;
    const live = await providedBy(step, kube);
    const version = live?.metadata.labels?.[label];
    if (!live || !version || !isOlder(version, minimum)) continue;
    throw new ObsError({
      what: `an existing ${step.title} is too old`,
      object: refText(refOf(live)),
      cause: `its label ${label} says ${version}; at least ${minimum} is needed, and a cluster can have only one`,
      next: `upgrade ${step.title} to ${minimum} or newer, then run the same install again`,
    });
  }
}

/** By major, minor and patch; a leading v and what follows the patch do not count. */
function isOlder(version: string, minimum: string): boolean {
  const parts = (text: string): number[] =>
    (/^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text)?.slice(1) ?? []).map((part) => Number(part ?? 0));
  const [have, want] = [parts(version), parts(minimum)];
  const differing = have.findIndex((part, i) => part !== want[i]);
  return differing >= 0 && (have[differing] ?? 0) < (want[differing] ?? 0);
}

function taken(object: string, removal: string): ObsError {
  return new ObsError({
    what: 'a name that genai-obs needs is taken by something that it did not make',
    object,
    cause: `it lacks the label ${PART_OF_LABEL}=${PART_OF}: installing would take it over`,
    next: `install into a namespace of its own: genai-obs install --namespace NAME; or, if nobody needs it: ${removal}`,
  });
}

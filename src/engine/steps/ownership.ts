import { coerce, lt } from 'semver';
import type { StoredRelease } from '../../adapters/helm.ts';
import type { Kube } from '../../adapters/kube.ts';
import { ObsError } from '../../core/errors.ts';
import { PART_OF, PART_OF_LABEL } from '../../core/labels.ts';
import { type KubeObject, refOf, refText } from '../../core/types.ts';
import type { Provided } from '../../parts/types.ts';

export const isOurs = (object: KubeObject): boolean => object.metadata.labels?.[PART_OF_LABEL] === PART_OF;

/** Somebody else may have installed a release with one of our names. */
export function isOurRelease(release: StoredRelease): boolean {
  const { objects, values } = release.payload();
  // Not every upstream chart labels every object, but the values that we pass always contain our label.
  return objects.some(isOurs) || JSON.stringify(values).includes(`"${PART_OF_LABEL}":"${PART_OF}"`);
}

/** An object or release of somebody else has a name that we need: installing would adopt or replace it. */
export function nameTaken(object: string, removal: string): ObsError {
  return new ObsError({
    what: 'an object that genai-obs did not create has a name that genai-obs needs',
    object,
    cause: `it lacks the label ${PART_OF_LABEL}=${PART_OF}: installing would adopt it`,
    next: `install into another namespace: genai-obs install --namespace NAME; or, if nobody needs it: ${removal}`,
  });
}

interface Providable {
  title: string;
  release: string;
  namespace: string;
  provided?: Provided;
}

/** Somebody else's object that provides the same for the whole cluster. @throws KubeError */
export async function providedBy(step: Providable, kube: Kube): Promise<KubeObject | undefined> {
  const live = step.provided && (await kube.read(step.provided.ref));
  const annotations = live?.metadata.annotations ?? {};
  const ours =
    annotations['meta.helm.sh/release-name'] === step.release &&
    annotations['meta.helm.sh/release-namespace'] === step.namespace;
  return live && !ours && !isOurs(live) ? live : undefined;
}

/** Refuses a cluster-wide provider that is too old; one without a version label is used. @throws ObsError */
export async function refuseOldProvider(step: Providable, kube: Kube): Promise<void> {
  if (!step.provided?.version) return;
  const { label, minimum } = step.provided.version;
  const live = await providedBy(step, kube);
  const found = live?.metadata.labels?.[label];
  // `coerce` would also find a version inside other text.
  const version = /^v?\d/.test(found ?? '') ? coerce(found) : undefined;
  if (!live || !version || !lt(version, coerce(minimum) ?? minimum)) return;
  throw new ObsError({
    what: `an existing ${step.title} is too old`,
    object: refText(refOf(live)),
    cause: `its label ${label} is ${found}; genai-obs needs at least ${minimum}, and a cluster can have only one`,
    next: `upgrade ${step.title} to ${minimum} or newer, then run install again`,
  });
}

import type { Kube } from '../adapters/kube.ts';
import { refPath } from '../adapters/kinds.ts';
import { canonical } from '../core/compare.ts';
import { ObsError } from '../core/errors.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refText } from '../core/types.ts';
import { type Difference, type State, differences, patchOf, stateOf } from './apply.ts';
import { throwRefusal } from './operator.ts';

export function deploymentRef(namespace: string, name: string): ObjectRef {
  return { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name };
}

/** @throws ObsError when there is none; KubeError */
export async function readDeployment(kube: Kube, ref: ObjectRef): Promise<KubeObject> {
  const found = await kube.read(ref);
  if (found) return found;
  const names = (await kube.list('Deployment', ref.namespace)).map(({ metadata }) => metadata.name);
  throw new ObsError({
    what: 'there is no such Deployment',
    object: refText(ref),
    cause: names.length ? `the namespace has: ${names.join(', ')}` : 'the namespace has no Deployments',
    next: `kubectl --context ${kube.context} get deployments --all-namespaces; another namespace: --app-namespace NAMESPACE`,
  });
}

export interface Change {
  differences: Difference[];
  /** The patch writes something: at least our own annotation. */
  needed: boolean;
}

/** What `make` would change. */
export function changeOf(deployment: KubeObject, make: (state: State) => State): Change {
  const before = stateOf(deployment);
  const after = make(before);
  return { differences: differences(before, after), needed: patchOf(deployment, after).length > 0 };
}

const ATTEMPTS = 5;

/**
 * Patches what was shown, and nothing else. A status that moves meanwhile costs another attempt; a change of what was shown is refused.
 * @throws ObsError, KubeError
 */
export async function patchDeployment(
  kube: Kube,
  ref: ObjectRef,
  shown: Difference[],
  make: (state: State) => State,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const deployment = await readDeployment(kube, ref);
    const after = make(stateOf(deployment));
    if (canonical(differences(stateOf(deployment), after)) !== canonical(shown))
      throw new ObsError({
        what: 'the Deployment was changed by somebody else meanwhile',
        object: refText(ref),
        cause: 'what was shown is not what would be done now',
        next: 'run the command again',
      });
    const operations = patchOf(deployment, after);
    const answer = await kube.request('PATCH', refPath(ref), {
      body: JSON.stringify(operations),
      contentType: 'application/json-patch+json',
    });
    if (answer.status === 409 && attempt < ATTEMPTS) continue;
    return throwRefusal(answer);
  }
}

/** The other workloads of the namespace; what was written by hand may be of another kind. @throws KubeError */
export async function neighbours(kube: Kube, { namespace, name }: ObjectRef): Promise<State[]> {
  const lists = await Promise.all(['Deployment', 'StatefulSet', 'DaemonSet'].map((kind) => kube.list(kind, namespace)));
  return lists
    .flat()
    .filter((other) => !(other.kind === 'Deployment' && other.metadata.name === name))
    .map(stateOf);
}

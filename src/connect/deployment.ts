import pRetry from 'p-retry';
import { statusError } from '../adapters/kubeError.ts';
import { type Kube, KubeError } from '../adapters/kube.ts';
import { refPath } from '../adapters/kinds.ts';
import { canonical } from '../core/compare.ts';
import { ObsError } from '../core/errors.ts';
import { list } from '../core/text.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refText } from '../core/types.ts';
import { type Difference, differences, patchOf } from './patch.ts';
import { type State, stateOf } from './state.ts';

export function deploymentRef(namespace: string, name: string): ObjectRef {
  return { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name };
}

/** @throws ObsError when it does not exist; KubeError */
export async function readDeployment(kube: Kube, ref: ObjectRef): Promise<KubeObject> {
  const found = await kube.read(ref);
  if (found) return found;
  const names = (await kube.list('Deployment', ref.namespace)).map(({ metadata }) => metadata.name);
  throw new ObsError({
    what: 'the Deployment does not exist',
    object: refText(ref),
    cause: names.length ? `the namespace contains: ${list(names, 10)}` : 'the namespace contains no Deployments',
    next:
      `kubectl --context ${kube.context} get deployments --all-namespaces; ` +
      'pass another namespace with --app-namespace NAMESPACE',
  });
}

const RETRIES = 4;

/** Retries when only other fields changed meanwhile. @throws ObsError when the differences changed; KubeError */
export async function patchDeployment(
  kube: Kube,
  ref: ObjectRef,
  shown: Difference[],
  make: (state: State) => State,
): Promise<void> {
  const attempt = async (): Promise<void> => {
    const deployment = await readDeployment(kube, ref);
    const after = make(stateOf(deployment));
    if (canonical(differences(stateOf(deployment), after)) !== canonical(shown))
      throw new ObsError({
        what: 'the Deployment was changed by another client meanwhile',
        object: refText(ref),
        cause: 'the changes would now differ from the ones that were shown',
        next: 'run the command again',
      });
    const body = JSON.stringify(patchOf(deployment, after));
    const answer = await kube.request('PATCH', refPath(ref), { body, contentType: 'application/json-patch+json' });
    if (answer.status >= 300) throw statusError(answer, refText(ref));
  };
  await pRetry(attempt, {
    retries: RETRIES,
    minTimeout: 0,
    shouldRetry: ({ error }) => error instanceof KubeError && error.status === 409,
  });
}

/** The other workloads of the namespace: they may use the Instrumentation or the certificate, too. @throws KubeError */
export async function neighbours(kube: Kube, { namespace, name }: ObjectRef): Promise<State[]> {
  const lists = await Promise.all(['Deployment', 'StatefulSet', 'DaemonSet'].map((kind) => kube.list(kind, namespace)));
  return lists
    .flat()
    .filter((other) => !(other.kind === 'Deployment' && other.metadata.name === name))
    .map(stateOf);
}

import type { Kube } from '../adapters/kube.ts';
import { subsetDiff } from '../core/compare.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../core/types.ts';
import { type Certificate, copyIn, missingCopy } from './certificate.ts';
import { neighbours, patchDeployment, readDeployment } from './deployment.ts';
import { type Injection, asksForInjection, readInstrumentation, removeInstrumentation } from './operator.ts';
import { type Difference, differences, obstacles, patchOf } from './patch.ts';
import { type State, disconnected, mountedSecret, stateOf } from './state.ts';

export interface Proposal {
  changed: boolean;
  differences: Difference[];
  /** About variables of the application that override ours. */
  warnings: string[];
  apply: () => Promise<void>;
}

/** A change of another object. Applied before the Deployment, so that an interrupted run still finds what is left. */
interface Companion {
  differences: Difference[];
  run: () => Promise<void>;
}

/** What `connect --apply` changes. @throws ObsError, KubeError */
export async function proposeConnect(
  kube: Kube,
  ref: ObjectRef,
  make: (state: State) => State,
  { certificate, injection }: { certificate?: Certificate | undefined; injection?: Injection | undefined },
): Promise<Proposal> {
  const deployment = await readDeployment(kube, ref);
  return proposal(kube, ref, deployment, make, [
    ...(certificate ? await copyCertificate(kube, certificate, ref.namespace ?? '') : []),
    ...(injection ? await applyInstrumentation(kube, injection.object, ref.namespace ?? '') : []),
  ]);
}

/** What `connect --remove` changes, including unused companion objects. @throws ObsError, KubeError */
export async function proposeDisconnect(kube: Kube, ref: ObjectRef): Promise<Proposal> {
  const deployment = await readDeployment(kube, ref);
  return proposal(kube, ref, deployment, disconnected, await unusedObjects(kube, ref, stateOf(deployment)));
}

function proposal(
  kube: Kube,
  ref: ObjectRef,
  deployment: KubeObject,
  make: (state: State) => State,
  companions: Companion[],
): Proposal {
  const before = stateOf(deployment);
  const after = make(before);
  const shown = differences(before, after);
  // Without differences, the patch may still write our own annotation.
  const patched = patchOf(deployment, after).length > 0;
  return {
    changed: patched || companions.length > 0,
    differences: [...companions.flatMap((companion) => companion.differences), ...shown],
    warnings: obstacles(after),
    async apply() {
      for (const companion of companions) await companion.run();
      if (patched) await patchDeployment(kube, ref, shown, make);
    },
  };
}

async function copyCertificate(kube: Kube, certificate: Certificate, namespace: string): Promise<Companion[]> {
  const copy = await missingCopy(kube, certificate, namespace);
  if (!copy) return [];
  const difference = copy.isNew
    ? { name: 'object', to: `copied from namespace ${certificate.from}` }
    : { name: 'data', from: 'an outdated certificate', to: 'the renewed certificate' };
  return [
    { differences: [{ where: refText(refOf(copy.object)), ...difference }], run: () => kube.apply([copy.object]) },
  ];
}

const INSTRUMENTATION = { name: 'object', value: 'for the OpenTelemetry operator' };

async function applyInstrumentation(kube: Kube, wanted: KubeObject, namespace: string): Promise<Companion[]> {
  const where = refText(refOf(wanted));
  const live = await readInstrumentation(kube, namespace);
  const changes: Difference[] = live
    ? subsetDiff(wanted, live).map(({ path, from, to }) => ({ where, name: path, from, to }))
    : [{ where, name: INSTRUMENTATION.name, to: INSTRUMENTATION.value }];
  return changes.length ? [{ differences: changes, run: () => kube.apply([wanted]) }] : [];
}

/** Deletes the Instrumentation and the copied certificate if no other workload of the namespace uses them. */
async function unusedObjects(kube: Kube, ref: ObjectRef, state: State): Promise<Companion[]> {
  const namespace = ref.namespace ?? '';
  const usesInstrumentation = ({ annotations }: State): boolean => asksForInjection(annotations);
  const live = usesInstrumentation(state) ? await readInstrumentation(kube, namespace) : undefined;
  const secret = mountedSecret(state);
  if (!live && !secret) return [];
  const others = await neighbours(kube, ref);
  const unused: Companion[] = [];
  if (live && !others.some(usesInstrumentation))
    unused.push({
      differences: [{ where: refText(refOf(live)), name: INSTRUMENTATION.name, from: INSTRUMENTATION.value }],
      run: () => removeInstrumentation(kube, namespace),
    });
  // Others may mount it by hand, with another volume name.
  const isShared = others.some(({ volumes }) => volumes.some((volume) => volume.secret?.secretName === secret));
  const copy = secret && !isShared ? await copyIn(kube, secret, namespace) : undefined;
  if (copy)
    unused.push({
      differences: [{ where: refText(copy), name: 'object', from: 'a copy of the client certificate' }],
      run: async () => void (await kube.remove(copy)),
    });
  return unused;
}

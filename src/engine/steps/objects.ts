import { setTimeout as sleep } from 'node:timers/promises';
import { kindInfo } from '../../adapters/kinds.ts';
import { type KubeObject, refOf, refText } from '../../core/types.ts';
import { compareAll } from './compare.ts';
import { isOurs, nameTaken } from './ownership.ts';
import { notReady, waitReady } from './readiness.ts';
import type { ApplyContext, ApplyOptions, ReadContext, StepBase, StepKind, Workload } from './types.ts';

export interface ObjectsStep extends StepBase {
  kind: 'objects';
  objects: KubeObject[];
  /** Workloads that an operator creates from them and that must become ready. */
  workloads?: Workload[];
  /** Kept by `uninstall` without --delete-data. */
  data?: boolean;
}

export const objects: StepKind<ObjectsStep> = {
  inputs: (step) => step.objects,
  objects: (step) => step.objects,

  async observe(step, context) {
    const changes = await compareAll(step.objects, context, context.namespace);
    if (changes.length) return { state: changes.some((c) => c.action === 'create') ? 'absent' : 'drifted', changes };
    return (await notReady(step.workloads ?? [], context)) ?? { state: 'done', changes };
  },

  apply,

  async refuse(steps, context) {
    const wanted = steps.flatMap((step) => step.objects).filter((object) => object.kind !== 'Namespace');
    const live = await Promise.all(wanted.map((object) => context.kube.read(refOf(object))));
    const foreign = live.find((object) => object && !isOurs(object));
    if (!foreign) return;
    const removal = `kubectl -n ${context.namespace} delete ${foreign.kind.toLowerCase()} ${foreign.metadata.name}`;
    throw nameTaken(refText(refOf(foreign)), removal);
  },

  export(step, writer) {
    const isCustom = (object: KubeObject): boolean => kindInfo(object.kind).custom === true;
    for (const object of step.objects) if (!isCustom(object)) writer.object(step, object);
    const custom = step.objects.filter(isCustom);
    if (custom.length) writer.bundle(step, custom);
  },
};

async function apply(step: ObjectsStep, context: ApplyContext, { report }: ApplyOptions): Promise<void> {
  const namespace = step.objects.find((object) => object.kind === 'Namespace');
  // An existing namespace keeps the labels that its owner gave it.
  if (namespace && (await context.kube.read(refOf(namespace)))) return;
  const workloads = step.workloads ?? [];
  const before = await Promise.all(workloads.map((workload) => generationOf(workload, context)));
  await context.kube.apply(step.objects);
  for (const [i, workload] of workloads.entries()) {
    if (before[i] !== undefined) await waitReconciled(workload, before[i], context);
    await waitReady(workload, context, report);
  }
}

/** Milliseconds for an operator to react; a change without effect on the pods leaves the workload alone. */
const RECONCILE_TIME = 3_000;

/** Readiness of the old pods means nothing until the operator has updated the workload. */
async function waitReconciled(workload: Workload, generation: number, context: ReadContext): Promise<void> {
  const deadline = Date.now() + RECONCILE_TIME;
  while (Date.now() < deadline && (await generationOf(workload, context)) === generation) await sleep(200);
}

/** Undefined: the workload does not exist. */
async function generationOf(workload: Workload, { kube }: ReadContext): Promise<number | undefined> {
  const live = await kube.read({ apiVersion: 'apps/v1', ...workload });
  return (live?.metadata as { generation?: number } | undefined)?.generation;
}

import { recordOf } from '../../adapters/helm.ts';
import { PART_OF, PART_OF_LABEL } from '../../core/labels.ts';
import { type ObjectRef, refOf } from '../../core/types.ts';
import { withNamespace } from './compare.ts';
import { type StepBase, type StepKind, deletions } from './types.ts';

/** Removes what a component that is switched off left behind; its claims and secrets stay. */
export interface RemovalStep extends StepBase {
  kind: 'removal';
  release: string;
  namespace: string;
  objects: ObjectRef[];
}

export const removal: StepKind<RemovalStep> = {
  inputs: (step) => [step.release, step.objects],
  recordsIn: (step) => step.namespace,

  /** Counts only objects with our label: another owner's release may have the same name. */
  async observe(step, context) {
    const record = await recordOf(step, context);
    const rendered = (record?.payload().objects ?? [])
      .filter((object) => object.metadata.labels?.[PART_OF_LABEL] === PART_OF)
      .map((object) => refOf(withNamespace(object, step.namespace)));
    const live = await Promise.all(step.objects.map((ref) => context.kube.read(ref)));
    const own = live.flatMap((object) => (object?.metadata.labels?.[PART_OF_LABEL] === PART_OF ? [refOf(object)] : []));
    const changes = deletions([...rendered, ...own]);
    return changes.length ? { state: 'drifted', changes, detail: 'still installed' } : { state: 'done', changes };
  },

  async apply(step, { helm, kube }, { seen, report }) {
    report('helm uninstall');
    await helm.uninstall(step);
    for (const ref of step.objects)
      if (seen.changes.some((change) => change.ref.kind === ref.kind && change.ref.name === ref.name))
        await kube.remove(ref);
  },
};

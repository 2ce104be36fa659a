import { placeOf } from '../../parts/catalog.ts';
import { messageOf } from '../../core/errors.ts';
import { refOf } from '../../core/types.ts';
import { namespacesOf } from '../../profile/schema.ts';
import { HELPER_SELECTOR, SNAPSHOT, removePod, withHelper } from '../claims/helperPod.ts';
import { dropSnapshot } from '../stores/prometheus.ts';
import type { Context } from '../types.ts';
import { startForgotten } from '../claims/workload.ts';

/** What a run that was killed has left: stopped workloads, helper pods, a snapshot. The lock of the installation makes sure that nobody uses them. */
export async function cleanLeftovers(ctx: Context): Promise<void> {
  await startForgotten(ctx);
  const pods = (
    await Promise.all(namespacesOf(ctx.config).map((namespace) => ctx.kube.list('Pod', namespace, HELPER_SELECTOR)))
  ).flat();
  for (const pod of pods) {
    ctx.report(`removing the helper pod ${pod.metadata.name} of a run that was killed`);
    await removePod(ctx, refOf(pod));
    const snapshot = pod.metadata.annotations?.[SNAPSHOT];
    if (snapshot) await forgetSnapshot(ctx, snapshot);
  }
}

async function forgetSnapshot(ctx: Context, name: string): Promise<void> {
  try {
    const script = dropSnapshot(name);
    await withHelper(ctx, 'prometheus', true, (helper) => helper.text(script));
  } catch (error) {
    const { title, claim } = placeOf(ctx.config, 'prometheus');
    ctx.warnings.push(
      `the snapshot ${name} of ${title} could not be deleted (${messageOf(error)}): remove ${claim?.mountPath ?? ''}/snapshots/${name} by hand`,
    );
  }
}

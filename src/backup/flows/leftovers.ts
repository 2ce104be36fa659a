import { placeOf } from '../../parts/catalog.ts';
import { messageOf } from '../../core/errors.ts';
import { refOf } from '../../core/types.ts';
import { namespacesOf } from '../../profile/schema.ts';
import { HELPER_SELECTOR, SNAPSHOT, removePod, withHelper } from '../claims/helperPod.ts';
import { deleteScript } from '../stores/prometheus.ts';
import type { Context } from '../types.ts';
import { startStopped } from '../claims/workload.ts';

/** Cleans up after a killed run. Safe because the caller holds the lock: no other run can use what it deletes. */
export async function cleanLeftovers(ctx: Context): Promise<void> {
  await startStopped(ctx);
  const pods = (
    await Promise.all(namespacesOf(ctx.config).map((namespace) => ctx.kube.list('Pod', namespace, HELPER_SELECTOR)))
  ).flat();
  for (const pod of pods) {
    ctx.report(`deleting the helper pod ${pod.metadata.name} that an interrupted run left`);
    await removePod(ctx, refOf(pod));
    const snapshot = pod.metadata.annotations?.[SNAPSHOT];
    if (snapshot) await deleteSnapshot(ctx, snapshot);
  }
}

async function deleteSnapshot(ctx: Context, name: string): Promise<void> {
  try {
    const script = deleteScript(name);
    await withHelper(ctx, 'prometheus', true, (helper) => helper.text(script));
  } catch (error) {
    const { title, claim } = placeOf(ctx.config, 'prometheus');
    ctx.warnings.push(
      `the snapshot ${name} of ${title} could not be deleted (${messageOf(error)}): ` +
        `delete ${claim?.mountPath ?? ''}/snapshots/${name} by hand`,
    );
  }
}

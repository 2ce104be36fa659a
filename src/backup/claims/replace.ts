import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { ObsError, messageOf } from '../../core/errors.ts';
import { formatBytes } from '../../core/quantity.ts';
import { placeOf } from '../../parts/catalog.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { filesOf } from '../archive/manifest.ts';
import type { Action, RestoreContext } from '../types.ts';
import { LIST, isInterrupted } from './copy.ts';
import { type Helper, claimOf, withHelper } from './helperPod.ts';
import * as sh from './scripts.ts';
import { liveOf, mustLive, start, stop, waitReady, whileStopped } from './workload.ts';

/** The restore of a claim: replaces all of its data with the backup. */
export async function planVolume(ctx: RestoreContext, component: ComponentId): Promise<Action[]> {
  const files = filesOf(ctx.backup.manifest, component).filter((file) => file.path.endsWith('.tar.gz'));
  if (files.length === 0) return [];
  const { title, claim, chart } = placeOf(ctx.config, component);
  const object = `data of ${title} (claim ${claim?.name})`;
  const live = await liveOf(ctx, component);
  if (!live) return [{ object, action: 'skip', detail: 'the component is not installed' }];
  if (!claimOf(live, claim))
    return [{ object, action: 'skip', detail: 'no claim: restored data would be lost with the pod' }];
  // The Prometheus operator would scale it up again during the swap.
  if (chart === 'kube-prometheus-stack')
    return [{ object, action: 'skip', detail: 'kube-prometheus-stack keeps it running: restore its volume by hand' }];
  const archives = files.map((file) => file.path);
  const bytes = files.reduce((sum, file) => sum + (file.unpacked ?? file.bytes), 0);
  return [
    {
      object,
      action: 'replace',
      detail: `with data of ${ctx.backup.manifest.createdAt}; newer data is deleted`,
      bytes,
      run: () => restoreVolume(ctx, component, archives, bytes),
    },
  ];
}

async function restoreVolume(
  ctx: RestoreContext,
  component: ComponentId,
  archives: string[],
  bytes: number,
): Promise<void> {
  const { title, namespace, claim } = placeOf(ctx.config, component);
  await withHelper(ctx, component, true, async (helper) => {
    await rollBackEarlier(ctx, component, helper);
    const free = Number(await helper.text(sh.FREE)) * 1024;
    if (free < bytes * 1.05)
      throw new ObsError({
        what: `not enough free space to unpack the data of ${title} next to the current data`,
        object: `PersistentVolumeClaim ${namespace}/${claim?.name}`,
        cause: `${formatBytes(bytes)} needed, ${formatBytes(free)} free`,
        next: 'enlarge the claim, or delete old data',
      });
    for (const path of archives) {
      ctx.report(`${title}: unpacking ${path} next to the current data`);
      await helper.upload(() => [createReadStream(join(ctx.backup.dir, path)), createGunzip()], sh.UNPACK);
    }
    await helper.upload(() => [createReadStream(join(ctx.backup.dir, component, LIST))], sh.TAKE_LIST);
    await helper.text(sh.CHECK_INCOMING);
    await swapIn(ctx, component, helper);
  });
}

/** Swaps the new data in, or rolls back to the former data. Ignores Ctrl-C: a half-done swap loses data. */
async function swapIn(ctx: RestoreContext, component: ComponentId, helper: Helper): Promise<void> {
  const { title } = placeOf(ctx.config, component);
  const replicas = (await mustLive(ctx, component)).replicas;
  const firm = { ...ctx, signal: new AbortController().signal };
  const begin = Date.now();
  ctx.report(`${title}: stopped to swap the data`);
  try {
    await stop(firm, component);
    await helper.text(sh.SWAP);
    await start(firm, component, replicas);
    if (replicas > 0) await waitReady(firm, component);
  } catch (error) {
    ctx.report(`${title}: rolling back to the former data (${messageOf(error)})`);
    await stop(firm, component);
    await helper.text(sh.ROLL_BACK);
    await start(firm, component, replicas);
    if (replicas > 0) await waitReady(firm, component);
    throw new ObsError({
      ...(error instanceof ObsError ? error.parts : { what: messageOf(error) }),
      what: `${title} did not start with the restored data and was rolled back to its former data: ${messageOf(error)}`,
      next: 'read its log while the restore runs again, or restore another backup',
    });
  }
  await helper.text(sh.COMMIT);
  ctx.report(`${title}: restored; stopped for ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

async function rollBackEarlier(ctx: RestoreContext, component: ComponentId, helper: Helper): Promise<void> {
  if (!(await isInterrupted(helper, sh.INTERRUPTED_OR_CLEAN))) return;
  const { title } = placeOf(ctx.config, component);
  ctx.report(`${title}: an earlier restore was interrupted; rolling back to the former data first`);
  await whileStopped(ctx, component, async () => void (await helper.text(sh.ROLL_BACK)));
}

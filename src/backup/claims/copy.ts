import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { failed } from '../../adapters/podExec.ts';
import { placeOf } from '../../parts/catalog.ts';
import { objectStore } from '../../parts/storage.ts';
import { ObsError, messageOf } from '../../core/errors.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { entriesOf } from '../archive/archive.ts';
import { type Helper, claimOf, withHelper } from './helperPod.ts';
import { filesOf } from '../archive/manifest.ts';
import { formatBytes } from '../../core/quantity.ts';
import * as sh from './scripts.ts';
import type { Action, BackupContext, RestoreContext } from '../types.ts';
import { liveOf, mustLive, start, stop, waitReady, whileStopped } from './workload.ts';

/** Lists `size path` of every file. A restore compares the unpacked files with it. */
const LIST = 'files.txt';

/** False, with a warning, when a component stores its data in a bucket or in an emptyDir, which a stop would delete. */
export async function hasClaim(
  ctx: Pick<BackupContext, 'config' | 'warnings' | 'kube'>,
  component: ComponentId,
): Promise<boolean> {
  const { title, claim } = placeOf(ctx.config, component);
  const store = component === 'loki' || component === 'tempo' ? objectStore(ctx.config) : undefined;
  if (store) {
    ctx.warnings.push(
      `${title} stores its data in a bucket at ${store.endpoint}: it is not in the backup; ` +
        'copy or replicate the bucket',
    );
    return false;
  }
  if (claimOf(await mustLive(ctx, component), claim)) return true;
  ctx.warnings.push(`${title} has no claim (storage.enabled: false): its data is not in the backup`);
  return false;
}

/**
 * Copies a claim in two passes: immutable files while the component runs, everything else while it is stopped.
 * The second pass copies each file again whose size, times or inode changed since the first.
 * The backup is therefore the exact state at the stop, and the stop is short.
 */
export async function backupVolume(
  ctx: BackupContext,
  component: ComponentId,
  early: string[],
  exclude: string[],
): Promise<void> {
  const { title } = placeOf(ctx.config, component);
  await withHelper(ctx, component, false, async (helper) => {
    await refuseInterrupted(ctx, component, helper);
    ctx.report(`${title}: copying immutable files while it runs`);
    const first = await earlyPass(ctx, helper, component, early);
    ctx.report(`${title}: stopped for the remaining files; the collectors queue new data`);
    const second = `${component}/data-2.tar.gz`;
    ctx.pauses[component] = await whileStopped(ctx, component, async () => {
      await helper.text(sh.restScript(exclude));
      if (!(await helper.download(sh.FARM, second, ctx)).complete)
        throw new ObsError({
          what: `some files of ${title} could not be read`,
          object: `Pod ${helper.pod.namespace}/${helper.pod.name}`,
          next: `kubectl -n ${helper.pod.namespace} describe pvc`,
        });
    });
    ctx.report(`${title}: running again after ${ctx.pauses[component]} s`);
    await closeVolume(ctx, component, await helper.text(sh.FULL_LIST), first ? [first, second] : [second]);
  });
}

/** Fails only on Ctrl-C: if this pass is not possible, the second pass copies everything. */
async function earlyPass(
  ctx: BackupContext,
  helper: Helper,
  component: ComponentId,
  early: string[],
): Promise<string | undefined> {
  const path = `${component}/data-1.tar.gz`;
  try {
    const files = Number(await helper.text(sh.earlyScript(early)));
    if (!(files > 0)) return undefined;
    const { complete } = await helper.download(sh.FARM, path, ctx);
    // tar skips a file that was deleted during the copy; one that shrank truncates the archive.
    if (!complete) await entriesOf(join(ctx.out.dir, path));
    return path;
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    const { title } = placeOf(ctx.config, component);
    ctx.report(`${title}: the first pass failed (${messageOf(error)}); copying everything during the stop`);
    await ctx.out.drop(path);
    await helper.text(sh.FORGET_EARLY);
    return undefined;
  }
}

/** Checks that the archives contain every file of the list with its size, then writes the list. */
export async function closeVolume(
  ctx: BackupContext,
  component: ComponentId,
  list: string,
  archives: string[],
): Promise<void> {
  const { title, namespace } = placeOf(ctx.config, component);
  const wanted = parseList(list);
  if (!wanted)
    throw new ObsError({
      what: `the file list of ${title} is truncated`,
      object: `namespace ${namespace}`,
      next: 'run the same backup again',
    });
  const found = new Map<string, number>();
  for (const path of archives) {
    const inside = await entriesOf(join(ctx.out.dir, path));
    for (const [name, size] of inside) found.set(name, size);
    ctx.out.unpacked(
      path,
      [...inside.values()].reduce((sum, size) => sum + size, 0),
    );
  }
  for (const [name, size] of wanted) {
    if (found.get(name) !== size)
      throw new ObsError({
        what: `the copy of ${title} is incomplete`,
        object: name,
        cause: `${found.get(name) ?? 'no'} of ${size} bytes`,
        next: 'run the same backup again',
      });
  }
  await ctx.out.text(
    `${component}/${LIST}`,
    component,
    [...wanted].map(([name, size]) => `${size} ${name}\n`).join(''),
  );
}

/** Undefined when the last line, `end`, is missing. */
export function parseList(text: string): Map<string, number> | undefined {
  const lines = text.split('\n').filter(Boolean);
  if (lines.pop() !== 'end') return undefined;
  const rows = lines.map((line): [string, number] => [
    line.slice(line.indexOf(' ') + 1),
    Number(line.slice(0, line.indexOf(' '))),
  ]);
  return new Map(rows);
}

/** Runs INTERRUPTED or INTERRUPTED_OR_CLEAN. @throws ObsError when the connection lost the answer */
async function isInterrupted(helper: Helper, script: string): Promise<boolean> {
  const answer = (await helper.text(script)).trim();
  if (answer !== 'interrupted' && answer !== 'whole') throw failed(helper.pod, 'the connection lost its output');
  return answer === 'interrupted';
}

/** @throws ObsError when a killed restore moved the data aside: what is in place now is incomplete */
async function refuseInterrupted(ctx: BackupContext, component: ComponentId, helper: Helper): Promise<void> {
  if (!(await isInterrupted(helper, sh.INTERRUPTED))) return;
  const { title, namespace, claim } = placeOf(ctx.config, component);
  throw new ObsError({
    what: `a restore of ${title} was interrupted, and its data is incomplete`,
    object: `PersistentVolumeClaim ${namespace}/${claim?.name}`,
    next: 'run that genai-obs restore again: it rolls back to the former data first',
  });
}

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
  const bytes = files.reduce((sum, file) => sum + (file.unpacked ?? file.bytes), 0);
  return [
    {
      object,
      action: 'replace',
      detail: `with data of ${ctx.backup.manifest.createdAt}; newer data is deleted`,
      bytes,
      run: () =>
        restoreVolume(
          ctx,
          component,
          files.map((file) => file.path),
          bytes,
        ),
    },
  ];
}

export async function restoreVolume(
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

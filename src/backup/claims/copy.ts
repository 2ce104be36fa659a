import { join } from 'node:path';
import { failed } from '../../adapters/podExec.ts';
import { ObsError, messageOf } from '../../core/errors.ts';
import { placeOf } from '../../parts/catalog.ts';
import { objectStore } from '../../parts/storage.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { entriesOf } from '../archive/archive.ts';
import type { BackupContext } from '../types.ts';
import { type Helper, claimOf, withHelper } from './helperPod.ts';
import * as sh from './scripts.ts';
import { mustLive, whileStopped } from './workload.ts';

/** Lists `size path` of every file. A restore compares the unpacked files with it. */
export const LIST = 'files.txt';

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
export async function isInterrupted(helper: Helper, script: string): Promise<boolean> {
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

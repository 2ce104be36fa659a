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
import { bytesText, filesOf } from '../archive/manifest.ts';
import * as sh from './scripts.ts';
import type { Action, BackupContext, Outcome, RestoreContext } from '../types.ts';
import { liveOf, mustLive, start, stop, waitReady, whileStopped } from './workload.ts';

/** List of all files, `size path`: what a restore must end with. */
const LIST = 'files.txt';

/**
 * False, with a warning, when a component keeps its data elsewhere: in a bucket, which its owner copies or replicates, or in its pod, where a copy needs
 * a stop, and the stop would delete them.
 */
export async function hasClaim(
  ctx: Pick<BackupContext, 'config' | 'warnings' | 'kube'>,
  component: ComponentId,
): Promise<boolean> {
  const { title, claim } = placeOf(ctx.config, component);
  const store = component === 'loki' || component === 'tempo' ? objectStore(ctx.config) : undefined;
  if (store) {
    ctx.warnings.push(
      `${title} keeps its data in a bucket at ${store.endpoint}: they are not in the backup, copy or replicate the bucket itself`,
    );
    return false;
  }
  if (claimOf(await mustLive(ctx, component), claim)) return true;
  ctx.warnings.push(`${title} has no claim (storage.enabled: false): its data are not in the backup`);
  return false;
}

/**
 * Copies a claim in two passes: what no longer changes while the component runs, the rest while it is stopped.
 * A file that differs in size, times or inode from what the first pass saw is copied again, so the result is
 * exactly the state at the stop, and the stop is as long as the rest takes.
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
    ctx.report(`${title}: copying what does not change any more`);
    const first = await earlyPass(ctx, helper, component, early);
    ctx.report(`${title}: stopping it for the rest; what arrives meanwhile waits in the collectors`);
    const second = `${component}/data-2.tar.gz`;
    ctx.pauses[component] = await whileStopped(ctx, component, async () => {
      await helper.text(sh.restScript(exclude));
      if (!(await helper.download(sh.FARM, second, ctx)).complete)
        throw new ObsError({
          what: `files of ${title} could not be read`,
          object: `Pod ${helper.pod.namespace}/${helper.pod.name}`,
          next: `kubectl -n ${helper.pod.namespace} describe pvc`,
        });
    });
    ctx.report(`${title}: it was stopped for ${ctx.pauses[component]} s, and runs again`);
    await closeVolume(ctx, component, await helper.text(sh.FULL_LIST), first ? [first, second] : [second]);
  });
}

/** Never fails but for Ctrl-C: without it, the second pass copies everything. */
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
    // A file that went away meanwhile is left out; one that shrank ends the archive too early.
    if (!complete) await entriesOf(join(ctx.out.dir, path));
    return path;
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    ctx.report(
      `${placeOf(ctx.config, component).title}: the first pass failed (${messageOf(error)}); copying everything during the stop`,
    );
    await ctx.out.drop(path);
    await helper.text(sh.FORGET_EARLY);
    return undefined;
  }
}

/** Checks that the archives hold every file of the list in its size, then writes the list. */
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
      what: `the list of files of ${title} did not arrive in full`,
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
        what: `the copy of ${title} is not complete`,
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

/** Undefined when the end is missing. */
export function parseList(text: string): Map<string, number> | undefined {
  const lines = text.split('\n').filter(Boolean);
  if (lines.pop() !== 'end') return undefined;
  const rows = lines.map((line): [string, number] => [
    line.slice(line.indexOf(' ') + 1),
    Number(line.slice(0, line.indexOf(' '))),
  ]);
  return new Map(rows);
}

/** Asks INTERRUPTED or LOOK. @throws ObsError when the answer got lost */
async function isInterrupted(helper: Helper, script: string): Promise<boolean> {
  const answer = (await helper.text(script)).trim();
  if (answer !== 'interrupted' && answer !== 'whole') throw failed(helper.pod, 'its answer got lost on the way');
  return answer === 'interrupted';
}

/** @throws ObsError when a killed restore has left data aside: a copy of what is in place would be of no use */
async function refuseInterrupted(ctx: BackupContext, component: ComponentId, helper: Helper): Promise<void> {
  if (!(await isInterrupted(helper, sh.INTERRUPTED))) return;
  const { title, namespace, claim } = placeOf(ctx.config, component);
  throw new ObsError({
    what: `a restore of ${title} was interrupted: its data stand aside`,
    object: `PersistentVolumeClaim ${namespace}/${claim?.name}`,
    next: 'run that genai-obs restore again: it puts them back first',
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
    return [{ object, action: 'skip', detail: 'it has no claim here: restored data would be lost with its pod' }];
  // Its operator would start it again while its data are swapped.
  if (chart === 'kube-prometheus-stack')
    return [{ object, action: 'skip', detail: 'kube-prometheus-stack keeps it running: restore its volume by hand' }];
  const bytes = files.reduce((sum, file) => sum + (file.unpacked ?? file.bytes), 0);
  return [
    {
      object,
      action: 'replace',
      detail: `by those of ${ctx.backup.manifest.createdAt}; what it has stored since is dropped`,
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
  const { title } = placeOf(ctx.config, component);
  const { namespace, claim } = placeOf(ctx.config, component);
  await withHelper(ctx, component, true, async (helper) => {
    await rollBackEarlier(ctx, component, helper);
    const free = Number(await helper.text(sh.FREE)) * 1024;
    if (free < bytes * 1.05)
      throw new ObsError({
        what: `too little space for the data of ${title}: they are unpacked beside the present ones`,
        object: `PersistentVolumeClaim ${namespace}/${claim?.name}`,
        cause: `${bytesText(bytes)} needed, ${bytesText(free)} free`,
        next: 'enlarge the claim, or delete old data',
      });
    for (const path of archives) {
      ctx.report(`${title}: unpacking ${path} beside the present data`);
      await helper.upload(() => [createReadStream(join(ctx.backup.dir, path)), createGunzip()], sh.UNPACK);
    }
    await helper.upload(() => [createReadStream(join(ctx.backup.dir, component, LIST))], sh.TAKE_LIST);
    await helper.text(sh.CHECK_INCOMING);
    await swapIn(ctx, component, helper);
  });
}

/** From here on Ctrl-C is not listened to: either the new data are in place or the old ones are back. */
async function swapIn(ctx: RestoreContext, component: ComponentId, helper: Helper): Promise<void> {
  const { title } = placeOf(ctx.config, component);
  const replicas = (await mustLive(ctx, component)).replicas;
  const firm = { ...ctx, signal: new AbortController().signal };
  const begin = Date.now();
  ctx.report(`${title}: stopping it to put the data in place`);
  try {
    await stop(firm, component);
    await helper.text(sh.SWAP);
    await start(firm, component, replicas);
    if (replicas > 0) await waitReady(firm, component);
  } catch (error) {
    ctx.report(`${title}: putting the former data back (${messageOf(error)})`);
    await stop(firm, component);
    await helper.text(sh.ROLL_BACK);
    await start(firm, component, replicas);
    if (replicas > 0) await waitReady(firm, component);
    throw new ObsError({
      ...(error instanceof ObsError ? error.parts : { what: messageOf(error) }),
      what: `the restored data of ${title} did not work, so its former data are back: ${messageOf(error)}`,
      next: 'look at its log while the restore runs again, or restore another backup',
    });
  }
  await helper.text(sh.COMMIT);
  ctx.report(`${title}: restored; it was stopped for ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

async function rollBackEarlier(ctx: RestoreContext, component: ComponentId, helper: Helper): Promise<void> {
  if (!(await isInterrupted(helper, sh.LOOK))) return;
  const { title } = placeOf(ctx.config, component);
  ctx.report(`${title}: an earlier restore was interrupted: putting the former data back first`);
  await whileStopped(ctx, component, async () => void (await helper.text(sh.ROLL_BACK)));
}

/** Runs actions one after another; a refused object does not keep the others from being restored. */
export async function runActions(ctx: RestoreContext, actions: Action[], carryOn: boolean): Promise<Outcome> {
  const outcome: Outcome = { done: 0, failed: [] };
  for (const { object, run } of actions) {
    if (!run) continue;
    try {
      await run();
      outcome.done += 1;
    } catch (error) {
      if (!carryOn || ctx.signal.aborted) throw error;
      outcome.failed.push({ object, cause: messageOf(error) });
    }
  }
  return outcome;
}

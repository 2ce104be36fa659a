import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { version } from '../../core/assets.ts';
import { ObsError, messageOf, usageError } from '../../core/errors.ts';
import { BACKUP_RECORD, ownLabels } from '../../core/labels.ts';
import type { KubeObject } from '../../core/types.ts';
import { type Kube, KubeError } from '../../adapters/kube.ts';
import { COMPONENT_IDS, isEnabled } from '../../profile/schema.ts';
import { isArchive, pack } from '../archive/archive.ts';
import { cleanLeftovers } from './leftovers.ts';
import { MANIFEST, type Manifest, SCHEMA_VERSION, sealed } from '../archive/manifest.ts';
import { podExecFor } from '../../adapters/podExec.ts';
import { STORES } from '../stores/index.ts';
import { type BackupContext, type Deps, type Store, TIMEOUT, checkpoint } from '../types.ts';
import { liveOf } from '../claims/workload.ts';
import { exists, writerIn } from '../archive/writer.ts';

export interface BackupOptions {
  /** A directory that does not exist yet, or a file ending in .tar.gz. */
  output: string;
  includeSecrets?: boolean | undefined;
}

export interface BackupResult {
  path: string;
  files: number;
  bytes: number;
  seconds: number;
  /** Seconds for which a component was stopped. */
  pauses: Record<string, number>;
  warnings: string[];
}

/** Marks the folder of an unfinished backup. The next run deletes such a folder, and only such a folder. */
const MARK = '.genai-obs-partial';

/** The target appears only when complete. @throws ObsError after it has restarted components and deleted helpers */
export async function backupAll(deps: Deps, options: BackupOptions, stores: Store[] = STORES): Promise<BackupResult> {
  const begin = Date.now();
  const target = resolve(options.output);
  const partial = await startPartial(target);
  try {
    const { kube, config } = deps;
    const ctx: BackupContext = {
      timeout: TIMEOUT,
      exec: podExecFor(kube.context),
      ...deps,
      namespace: config.namespace,
      includeSecrets: options.includeSecrets === true,
      warnings: [],
      out: writerIn(partial),
      pauses: {},
    };
    // Prompts before the cluster changes.
    if (ctx.includeSecrets) await ctx.passphrase();
    await cleanLeftovers(ctx);
    const used = stores.filter((store) => store.enabled(config));
    for (const store of used) {
      checkpoint(ctx);
      await store.backup(ctx);
    }
    checkpoint(ctx);
    const manifest = await manifestOf(ctx, used);
    await writeFile(join(partial, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rm(join(partial, MARK));
    if (isArchive(target)) ctx.report('packing the archive');
    await finish(partial, target);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    return {
      path: target,
      files: manifest.files.length,
      bytes,
      seconds: Math.round((Date.now() - begin) / 100) / 10,
      pauses: ctx.pauses,
      warnings: ctx.warnings,
    };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** @throws ObsError (usage) when the target exists or cannot be written */
async function startPartial(target: string): Promise<string> {
  const partial = join(dirname(target), `${basename(target)}.partial`);
  if ((await exists(target)) && !(await isEmptyDir(target)))
    throw usageError(`${target} already exists`, 'choose another path: backup never overwrites');
  if (await exists(partial)) {
    if (!(await exists(join(partial, MARK))) && !(await isEmptyDir(partial)))
      throw usageError(`${partial} already exists, and genai-obs did not write it`, 'move it, or choose another path');
    await rm(partial, { recursive: true, force: true });
  }
  try {
    // Not recursive: below /proc, Node would retry without limit.
    await mkdir(partial, { mode: 0o700 });
    await writeFile(join(partial, MARK), '', { mode: 0o600 });
  } catch (error) {
    throw usageError(
      `${dirname(target)} is not writable`,
      `mkdir -p ${dirname(target)}, or choose another path`,
      messageOf(error),
    );
  }
  return partial;
}

async function isEmptyDir(path: string): Promise<boolean> {
  return readdir(path).then(
    (names) => names.length === 0,
    () => false,
  );
}

async function finish(partial: string, target: string): Promise<void> {
  if (!isArchive(target)) {
    // The target may exist as an empty folder.
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
    return;
  }
  const file = `${partial}.tar`;
  await rm(file, { force: true });
  try {
    await pack(partial, file, await readdir(partial));
    await rename(file, target);
  } catch (error) {
    throw new ObsError({
      what: 'the archive cannot be written',
      object: target,
      cause: messageOf(error),
      next: 'free some space, or choose another path',
    });
  } finally {
    await rm(file, { force: true });
  }
}

async function manifestOf(ctx: BackupContext, stores: Store[]): Promise<Manifest> {
  const system = await ctx.kube.read({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' });
  const images: Record<string, string> = {};
  for (const id of COMPONENT_IDS.filter((component) => isEnabled(ctx.config, component))) {
    const image = (await liveOf(ctx, id))?.pod.containers?.[0]?.image;
    if (image) images[id] = image;
  }
  return sealed({
    schemaVersion: SCHEMA_VERSION,
    tool: version(),
    createdAt: new Date().toISOString(),
    cluster: system?.metadata.uid ?? 'unknown',
    namespace: ctx.namespace,
    profile: ctx.config.profile,
    images,
    stores: stores.map((store) => store.id),
    pauses: ctx.pauses,
    warnings: ctx.warnings,
    files: ctx.out.files,
  });
}

/** Records in the cluster when the last backup was written. @throws KubeError */
export async function recordBackup(kube: Kube, namespace: string, at: Date): Promise<void> {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: BACKUP_RECORD, namespace, labels: ownLabels('genai-obs') },
    data: { last: at.toISOString() },
  };
  try {
    await kube.replace(object);
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
    await kube.create(object);
  }
}

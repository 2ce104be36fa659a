import { createReadStream, createWriteStream } from 'node:fs';
import { access, constants, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ObsError, messageOf, usageError } from '../../core/errors.ts';
import { MANIFEST, type Manifest, readManifest } from './manifest.ts';

export interface OpenBackup {
  /** Folder of the files. Temporary when the backup is an archive: `close` deletes it. */
  dir: string;
  /** Absolute form of the path that the user passed. */
  shown: string;
  manifest: Manifest;
  close: () => Promise<void>;
}

export const isArchive = (path: string): boolean => /\.(tar\.gz|tgz)$/.test(path);

/** Packs a folder into one file with mode 0600. The manifest is the first entry. */
export async function pack(dir: string, file: string, names: string[]): Promise<void> {
  const tar = await import('tar');
  const ordered = [MANIFEST, ...names.filter((name) => name !== MANIFEST)];
  // The files inside are already compressed.
  const stream = tar.c({ cwd: dir, gzip: { level: 1 }, portable: true }, ordered);
  await pipeline(stream as unknown as NodeJS.ReadableStream, createWriteStream(file, { mode: 0o600, flags: 'wx' }));
}

/** @throws ObsError when the path is not a backup, or the archive is damaged */
export async function openBackup(path: string): Promise<OpenBackup> {
  const info = await stat(path).catch((error: unknown) =>
    Promise.reject(
      usageError(
        `there is no backup at ${path}`,
        'pass the directory or .tar.gz that genai-obs backup wrote',
        messageOf(error),
      ),
    ),
  );
  const shown = resolve(path);
  if (info.isDirectory())
    return { dir: shown, shown, manifest: await readManifest(shown, shown), close: () => Promise.resolve() };
  const dir = await mkdtemp(join(await scratch(dirname(shown)), '.genai-obs-'));
  // After an error, tar may still write files while this deletes them.
  const close = (): Promise<void> => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  try {
    await unpack(shown, dir);
    return { dir, shown, manifest: await readManifest(dir, shown), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Parses a JSON file of a backup. Undefined when the manifest does not list it: only listed files are read. */
export async function readJson<T>(backup: OpenBackup, path: string): Promise<T | undefined> {
  if (!backup.manifest.files.some((file) => file.path === path)) return undefined;
  return JSON.parse(await readFile(join(backup.dir, path), 'utf8')) as T;
}

/** The archive's folder, which had space for the archive; the temporary folder of the system if it is read-only. */
async function scratch(beside: string): Promise<string> {
  return access(beside, constants.W_OK).then(
    () => beside,
    () => tmpdir(),
  );
}

async function unpack(file: string, dir: string): Promise<void> {
  try {
    await entriesOf(file);
    const tar = await import('tar');
    // Skips links: they could point outside of the folder.
    await tar.x({
      file,
      cwd: dir,
      strict: true,
      preserveOwner: false,
      filter: (_path, entry) => !('type' in entry) || entry.type === 'File' || entry.type === 'Directory',
    });
  } catch (error) {
    throw new ObsError({
      what: 'the archive is damaged or truncated',
      object: file,
      cause: messageOf(error),
      next: 'use another backup',
    });
  }
}

/** Reads a compressed tar to its end. Returns the size of each file. @throws Error when it is damaged or truncated */
export async function entriesOf(file: string): Promise<Map<string, number>> {
  const tar = await import('tar');
  const found = new Map<string, number>();
  let broken: Error | undefined;
  const parser = new tar.Parser({
    strict: true,
    onReadEntry: (entry) => (
      entry.type === 'File' && found.set(entry.path.replace(/^\.\//, ''), entry.size),
      entry.resume()
    ),
  });
  parser.on('error', (error: Error) => (broken ??= error));
  let tail = Buffer.alloc(0);
  // tar.Parser is not a Node stream: pipeline() would never finish on it.
  await pipeline(createReadStream(file), createGunzip(), async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) {
      tail = Buffer.concat([tail, chunk]).subarray(-1024);
      parser.write(chunk);
      if (broken) throw broken;
    }
  });
  parser.end();
  if (broken) throw broken;
  if (tail.length < 1024 || tail.some((byte) => byte !== 0)) throw new Error('the end-of-archive marker is missing');
  return found;
}

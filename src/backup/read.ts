import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenBackup } from './archive.ts';

/** A JSON file of a backup; undefined when the backup does not have it. Only files of the manifest are read. */
export async function readFileOf<T>(backup: OpenBackup, path: string): Promise<T | undefined> {
  if (!backup.manifest.files.some((file) => file.path === path)) return undefined;
  return JSON.parse(await readFile(join(backup.dir, path), 'utf8')) as T;
}

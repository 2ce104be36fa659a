import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ObsError, messageOf } from '../../core/errors.ts';
import { type OpenBackup, entriesOf } from './archive.ts';
import type { FileEntry } from './manifest.ts';
import { formatBytes } from '../../core/quantity.ts';

export interface Verified {
  files: number;
  bytes: number;
}

/** Checks size and checksum of every file, and unpacks every archive. @throws ObsError naming the first bad file */
export async function verifyBackup(backup: OpenBackup, report: (text: string) => void): Promise<Verified> {
  let bytes = 0;
  for (const file of backup.manifest.files) {
    if (file.bytes > 64 * 1024 * 1024) report(`checking ${file.path} (${formatBytes(file.bytes)})`);
    const bad = await faultOf(join(backup.dir, file.path), file);
    if (bad)
      throw new ObsError({
        what: 'the backup is damaged',
        object: `${backup.shown}: ${file.path}`,
        cause: bad,
        next: 'use another backup',
      });
    bytes += file.bytes;
  }
  return { files: backup.manifest.files.length, bytes };
}

async function faultOf(path: string, file: FileEntry): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return 'the file is missing';
  if (info.size < file.bytes) return `the file is truncated: ${info.size} of ${file.bytes} bytes`;
  if (info.size > file.bytes) return `the file was modified: ${info.size} bytes instead of ${file.bytes}`;
  if ((await sha256(path)) !== file.sha256) return 'the file was modified: its checksum differs from the manifest';
  if (!path.endsWith('.tar.gz')) return undefined;
  try {
    const sizes = [...(await entriesOf(path)).values()];
    const unpacked = sizes.reduce((sum, size) => sum + size, 0);
    return file.unpacked === undefined || unpacked === file.unpacked
      ? undefined
      : `the archive contains ${unpacked} bytes instead of ${file.unpacked}`;
  } catch (error) {
    return `the archive is damaged or truncated: ${messageOf(error)}`;
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

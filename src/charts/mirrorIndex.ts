import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObsError, messageOf } from '../core/errors.ts';

/** `mirror.json`: contents of a mirror, to detect damaged or replaced archives. */
export interface MirrorIndex {
  tool: string;
  /** Archive → sha256. */
  charts: Record<string, string>;
  /** Every image of the mirrored profiles; `digest` if the registry returned it. */
  images: { image: string; digest?: string }[];
}

export const MIRROR_INDEX = 'mirror.json';

/** Undefined for a folder of archives without one. @throws ObsError when it cannot be read */
export async function readIndex(folder: string): Promise<MirrorIndex | undefined> {
  const file = join(folder, MIRROR_INDEX);
  return existsSync(file) ? parseIndex(file, await readFile(file, 'utf8')) : undefined;
}

/** @throws ObsError naming `place` when the text is not an index */
export function parseIndex(place: string, text: string): MirrorIndex {
  try {
    const index = JSON.parse(text) as Partial<MirrorIndex> | null;
    if (!index?.charts || typeof index.charts !== 'object') throw new Error('it has no list of charts');
    return index as MirrorIndex;
  } catch (error) {
    throw new ObsError({
      what: 'the mirror’s index cannot be read',
      object: place,
      cause: messageOf(error),
      next: 'write the mirror again: genai-obs mirror --out DIR',
    });
  }
}

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObsError, messageOf } from '../core/errors.ts';

/** `mirror.json` of a mirror: what it holds, so that a damaged or exchanged archive is seen. */
export interface MirrorIndex {
  /** Version of genai-obs that wrote it. */
  tool: string;
  /** Archive → sha256. */
  charts: Record<string, string>;
  /** Every image of the profiles it was made for; `digest` where the registry told it. */
  images: { image: string; digest?: string }[];
}

export const MIRROR_INDEX = 'mirror.json';

/** Undefined for a folder of archives without one. @throws ObsError when it cannot be read */
export async function readIndex(folder: string): Promise<MirrorIndex | undefined> {
  const file = join(folder, MIRROR_INDEX);
  return existsSync(file) ? parseIndex(file, await readFile(file, 'utf8')) : undefined;
}

/** @throws ObsError naming `place` when the text is no index */
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
      next: 'write the mirror anew: genai-obs mirror --out DIR',
    });
  }
}

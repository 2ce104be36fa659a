import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../src/core/assets.ts';
import { run } from './cluster.ts';

export const BIN = join(process.env['BED'] ?? join(homedir(), '.cache', 'genai-obs-bed'), 'bin');

/** The host's side of the link to the bed: what listens there is reached by pods, and by nothing beyond this machine. */
export const HOST = '10.200.0.1';

/** Those of the bed's programs that are not built yet; made by: test/bed/bed build NAME. */
export const notBuilt = (...programs: string[]): string[] => programs.filter((name) => !existsSync(join(BIN, name)));

/** Imports images of test/bed/images.json; those that are there unchanged take no time. */
export async function importImages(...names: string[]): Promise<void> {
  const done = await run(join(ROOT, 'test', 'bed', 'bed'), ['images', ...names]);
  if (done.code !== 0) throw new Error(`bed images: ${done.stderr}${done.stdout}`);
}

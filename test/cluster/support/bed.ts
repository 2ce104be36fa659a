import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../src/core/assets.ts';
import { run } from './cluster.ts';

/** Folder with the archives of the upstream charts and their mirror.json, as `genai-obs mirror` writes it. */
export const CHARTS = process.env['GENAI_OBS_CHARTS'];
export const noCharts = CHARTS ? undefined : 'GENAI_OBS_CHARTS names no folder with the upstream charts';

/** Suffix of a title that names the reason for skipping; test/run.mjs reads it. */
export const skipNote = (reason: string | undefined): string => (reason ? ` (skipped: ${reason})` : '');

export const BIN = join(process.env['BED'] ?? join(homedir(), '.cache', 'genai-obs-bed'), 'bin');

/** The host's side of the bed's veth pair: reachable from pods, but not from other machines. */
export const HOST = '10.200.0.1';

/** Why tests with these programs are skipped: those that `test/bed/bed build NAME` has not built yet. */
export function notBuilt(...programs: string[]): string | undefined {
  const missing = programs.filter((name) => !existsSync(join(BIN, name)));
  return missing.length ? `not built for the bed: ${missing.join(', ')}` : undefined;
}

export async function bed(...args: string[]): Promise<void> {
  const done = await run(join(ROOT, 'test', 'bed', 'bed'), args);
  if (done.code !== 0) throw new Error(`bed ${args.join(' ')}: ${done.stderr}${done.stdout}`);
}

/** Imports images of test/bed/images.json; unchanged images take no time. */
export const importImages = (...names: string[]): Promise<void> => bed('images', ...names);

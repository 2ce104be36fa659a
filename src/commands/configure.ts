import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { Wires } from '../app/wire.ts';
import { explainKube } from '../adapters/kube.ts';
import { canonical } from '../core/compare.ts';
import type { JsonMap } from '../core/types.ts';
import type { Journal } from '../engine/state/journal.ts';
import { type ConfigFlags, flagLayer } from '../profile/flags.ts';
import { type Layer, extended, fileLayer, profileLayer } from '../profile/layers.ts';
import { resolve } from '../profile/resolve.ts';
import type { Config } from '../profile/schema.ts';

/**
 * Layers of the configuration: profile and files when given, else what the existing installation was made with
 * (so that a bare `install` carries on from any machine), else quickstart; flags on top.
 */
export function layersOf(flags: ConfigFlags, journal: Journal | undefined): Layer[] {
  const files = (flags.file ?? []).map(fileLayer);
  const named =
    flags.profile ??
    files.map((file) => file.data['profile']).findLast((name): name is string => typeof name === 'string');
  const before =
    journal && !flags.profile && files.length === 0
      ? [{ source: 'existing installation', data: journal.config as unknown as JsonMap }]
      : [];
  // A file that extends a profile brings its own base.
  const based = !flags.profile && files.some((file) => file.data['extends'] !== undefined);
  const base = before.length ? before : based ? [] : extended(profileLayer(named ?? 'quickstart'));
  const layers = flags.profile
    ? files.map(({ data: { extends: _base, ...data }, ...file }) => ({ ...file, data }))
    : files.flatMap((file) => extended(file));
  return [...base, ...layers, flagLayer(flags)];
}

/** The configuration of an install or plan; in a terminal, questions fill what no flag answers. */
export async function configure(
  flags: ConfigFlags,
  journal: Journal | undefined,
  interactive: boolean,
  wires: Wires,
): Promise<{ config: Config; asked: boolean }> {
  const config = resolve(layersOf(flags, journal));
  if (!interactive || journal || flags.file?.length) return { config, asked: false };
  const { ask, askProfile } = await import('../ui/prompts.ts');
  const profile = flags.profile ?? (await askProfile());
  try {
    const answers = await ask(wires.kube, resolve(layersOf({ ...flags, profile }, journal)), flags);
    return { config: resolve(layersOf({ ...flags, ...answers, profile }, journal)), asked: true };
  } catch (error) {
    throw error instanceof Error && error.name.endsWith('PromptError')
      ? error
      : explainKube(error, wires.kube, 'reading the storage classes');
  }
}

/** Writes the file that replays this installation. */
export function saveConfig(path: string, config: Config): void {
  writeFileSync(path, `# Written by genai-obs; replay it with: genai-obs install -f ${path}\n${stringify(config)}`);
}

export function sameConfig(a: Config, b: Config): boolean {
  return canonical(a) === canonical(b);
}

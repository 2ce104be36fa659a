import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { explainKube } from '../adapters/kube.ts';
import type { Session } from '../app/session.ts';
import type { JsonMap } from '../core/types.ts';
import type { Journal } from '../engine/state/journal.ts';
import { type ConfigFlags, flagLayer } from '../profile/flags.ts';
import { type Layer, extended, fileLayer, profileLayer } from '../profile/layers.ts';
import { resolve } from '../profile/resolve.ts';
import type { Config } from '../profile/schema.ts';

/** Profile and files, else the existing installation (to resume from any machine), else quickstart; flags on top. */
export function layersOf(flags: ConfigFlags, journal: Journal | undefined): Layer[] {
  const files = (flags.file ?? []).map(fileLayer);
  const named =
    flags.profile ??
    files.map((file) => file.data['profile']).findLast((name): name is string => typeof name === 'string');
  const lowest = (): Layer[] => {
    if (journal && !flags.profile && files.length === 0)
      return [{ source: 'existing installation', data: journal.config as unknown as JsonMap }];
    // A file that extends a profile contains its lowest layer.
    const extending = !flags.profile && files.some((file) => file.data['extends'] !== undefined);
    return extending ? [] : extended(profileLayer(named ?? 'quickstart'));
  };
  const layers = flags.profile
    ? files.map(({ data: { extends: _extends, ...data }, ...file }) => ({ ...file, data }))
    : files.flatMap((file) => extended(file));
  return [...lowest(), ...layers, flagLayer(flags)];
}

export interface Draft {
  config: Config;
  /** Set when a profile or file decides it; otherwise an existing installation does. */
  namespace: string | undefined;
}

/** Resolves flags, profile and files. @throws ObsError (usage) */
export function draftOf(flags: ConfigFlags): Draft {
  const config = resolve(layersOf(flags, undefined));
  return { config, namespace: flags.profile || flags.file?.length ? config.namespace : undefined };
}

/** The configuration of an install or plan. With `interactive`, prompts fill in what no flag gives. */
export async function configure(
  flags: ConfigFlags,
  draft: Draft,
  journal: Journal | undefined,
  interactive: boolean,
  { kube, namespace }: Session,
): Promise<{ config: Config; asked: boolean }> {
  const here = { ...flags, namespace };
  const ready = !journal && draft.config.namespace === namespace;
  const config = ready ? draft.config : resolve(layersOf(here, journal));
  if (!interactive || journal || flags.file?.length) return { config, asked: false };
  const { ask, askProfile } = await import('../ui/wizard.ts');
  const profile = flags.profile ?? (await askProfile());
  try {
    const answers = await ask(kube, resolve(layersOf({ ...here, profile }, journal)), flags);
    return { config: resolve(layersOf({ ...here, ...answers, profile }, journal)), asked: true };
  } catch (error) {
    throw error instanceof Error && error.name.endsWith('PromptError')
      ? error
      : explainKube(error, kube, 'reading the storage classes');
  }
}

export const configText = (config: Config): string => stringify(config);

export function saveConfig(path: string, config: Config): void {
  writeFileSync(path, `# Written by genai-obs; to repeat it: genai-obs install -f ${path}\n${configText(config)}`);
}

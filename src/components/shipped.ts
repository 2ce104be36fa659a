import { folderAsset } from '../core/assets.ts';
import type { Config } from '../profile/schema.ts';

/** Dashboards and rule files that only some configurations have, by how their names begin. */
const ONLY: Record<string, (config: Config) => boolean> = {
  'genops-': (config) => config.genai.genops.enabled,
  macos: (config) => config.macos.enabled,
  'llm-platform-': (config) => config.teams.length > 0,
  teams: (config) => config.teams.length > 0,
};

/** Rules or dashboards that this configuration asks for. */
export function shipped(config: Config, folder: string, ending: string): [string, string][] {
  return Object.entries(folderAsset(folder, ending)).filter(([file]) =>
    Object.entries(ONLY).every(([start, isWanted]) => !file.startsWith(start) || isWanted(config)),
  );
}

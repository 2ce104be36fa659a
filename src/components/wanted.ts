import type { Config } from '../profile/schema.ts';

const macs = (config: Config): boolean => config.macos.enabled;
const teams = (config: Config): boolean => config.teams.length > 0;

/** Dashboards and rule files that only some configurations have. */
const WHERE: Record<string, (config: Config) => boolean> = {
  'macos-monitoring.json': macs,
  'macos.yaml': macs,
  'llm-platform-teams.json': teams,
  'teams.yaml': teams,
};

/** Whether a file of templates/dashboards or templates/rules belongs to this configuration. */
export function isWanted(file: string, config: Config): boolean {
  return WHERE[file]?.(config) ?? true;
}

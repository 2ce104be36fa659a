import { folderAsset } from '../core/assets.ts';
import type { Config } from '../profile/schema.ts';

/** Rules or dashboards that this configuration asks for: what is of GenOps or of Macs only with that. */
export function shipped(config: Config, folder: string, ending: string): [string, string][] {
  return Object.entries(folderAsset(folder, ending)).filter(
    ([name]) => (config.genai.genops.enabled || !name.startsWith('genops-')) && (config.macos.enabled || !name.startsWith('macos')),
  );
}

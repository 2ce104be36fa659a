import { COMPONENT_IDS, type Config, isEnabled, namespaceOf } from '../profile/schema.ts';
import { ADDONS } from './addons/index.ts';
import { type Release, releaseOf } from './catalog.ts';
import type { Addon } from './types.ts';

/** Add-ons of the profile that nobody else can bring in our place: what they are made of is ours to look for. */
export const ownAddons = (config: Config): Addon[] =>
  ADDONS.filter(({ id, provided }) => isEnabled(config, id) && !provided);

/** Every release that must be there for the profile, each once. */
export function releasesOf(config: Config): Release[] {
  const addons = ownAddons(config).map(({ id, release }) => ({ name: release, namespace: namespaceOf(config, id) }));
  const all = [
    ...addons,
    ...COMPONENT_IDS.filter((id) => config[id].enabled).flatMap((id) => releaseOf(config, id) ?? []),
  ];
  return [...new Map(all.map((release) => [`${release.namespace}/${release.name}`, release])).values()];
}

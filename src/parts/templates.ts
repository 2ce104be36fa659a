import { folderAsset, yamlAsset } from '../core/assets.ts';
import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
import { placed } from './addresses.ts';
import { imageOf, placeOf } from './catalog.ts';
import type { Component, Input } from './types.ts';

/** A component's base configuration, adapted to the profile, and what else its objects are made from. */
export function inputOf(config: Config, component: Component, checksums: Record<string, string> = {}): Input {
  const place = placeOf(config, component.id);
  return {
    config,
    place,
    configuration: placed(component.configure(baseOf(component.id), config), config, place.namespace),
    image: imageOf(place.image, config.global.imageRegistry),
    claim: config.storage.enabled && place.claim ? place.claim.name : '',
    checksums,
  };
}

function baseOf(id: string): JsonMap {
  return folderAsset(`templates/${id}`, 'config.yaml')['config.yaml'] === undefined
    ? {}
    : yamlAsset('templates', id, 'config.yaml');
}

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

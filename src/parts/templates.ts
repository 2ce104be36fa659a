import { folderAsset, yamlAsset } from '../core/assets.ts';
import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
import { withAddresses } from './addresses.ts';
import { imageOf, placeOf } from './catalog.ts';
import type { Component, Input } from './types.ts';

/** What a component's objects are made from, with its base configuration adapted to the profile. */
export function inputOf(config: Config, component: Component, checksums: Record<string, string> = {}): Input {
  const place = placeOf(config, component.id);
  return {
    config,
    place,
    configuration: withAddresses(component.configure(baseConfig(component.id), config), config, place.namespace),
    image: imageOf(place.image, config.global.imageRegistry),
    claim: config.storage.enabled && place.claim ? place.claim.name : '',
    checksums,
  };
}

/** templates/<id>/config.yaml; empty for a component without a configuration file. */
function baseConfig(id: string): JsonMap {
  return folderAsset(`templates/${id}`, 'config.yaml')['config.yaml'] === undefined
    ? {}
    : yamlAsset('templates', id, 'config.yaml');
}

/** Dashboards and rule files of optional features, by the prefix of their name. */
const ONLY: Record<string, (config: Config) => boolean> = {
  'genops-': (config) => config.genai.genops.enabled,
  macos: (config) => config.macos.enabled,
  'llm-platform-': (config) => config.teams.length > 0,
  teams: (config) => config.teams.length > 0,
};

/** Rule files or dashboards of a folder that this configuration includes: `[file name, text]`. */
export function templateFiles(config: Config, folder: string, ending: string): [string, string][] {
  return Object.entries(folderAsset(folder, ending)).filter(([file]) =>
    Object.entries(ONLY).every(([start, isWanted]) => !file.startsWith(start) || isWanted(config)),
  );
}

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

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { assetPath } from '../core/assets.ts';
import { messageOf, usageError } from '../core/errors.ts';
import { isJsonMap } from '../core/json.ts';
import type { JsonMap } from '../core/types.ts';

/** One layer of configuration; source and text locate a setting for error messages. */
export interface Layer {
  source: string;
  text?: string;
  data: JsonMap;
}

export function profileNames(): string[] {
  return readdirSync(assetPath('profiles'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -5));
}

const chooseProfile = (): string => `choose one of: ${profileNames().join(', ')}`;

/** @throws ObsError (usage) for an unknown profile */
export function profileLayer(name: string): Layer {
  const path = assetPath('profiles', `${name}.yaml`);
  if (!/^[a-z0-9-]+$/.test(name) || !existsSync(path))
    throw usageError(`there is no profile "${name}"`, chooseProfile());
  return parseLayer(`profile ${name}`, readFileSync(path, 'utf8'));
}

/** A layer after the profiles it extends, deepest first. @throws ObsError (usage): unknown profile or cycle */
export function extended(layer: Layer, seen: string[] = []): Layer[] {
  const { extends: parent, ...data } = layer.data;
  if (parent === undefined) return [layer];
  if (typeof parent !== 'string')
    throw usageError(`${layer.source}: extends takes the name of a profile`, chooseProfile());
  if (seen.includes(parent))
    throw usageError(
      `${layer.source}: profiles extend each other in a cycle: ${[...seen, parent].join(' → ')}`,
      'remove one of these extends',
    );
  return [...extended(profileLayer(parent), [...seen, parent]), { ...layer, data }];
}

/** @throws ObsError (usage) when the file cannot be read or is not a YAML map */
export function fileLayer(path: string): Layer {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`the configuration file ${path} cannot be read`, 'check the path given with -f', messageOf(error));
  }
  return parseLayer(path, text);
}

function parseLayer(source: string, text: string): Layer {
  const data = parsed(source, text) ?? {};
  if (!isJsonMap(data)) throw usageError(`${source} must be a map of settings`, 'start from: genai-obs profile show');
  return { source, text, data };
}

/** @throws ObsError (usage) for invalid YAML, and for an alias without its anchor, which only toJS() reports */
function parsed(source: string, text: string): unknown {
  const document = parseDocument(text);
  try {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as unknown;
  } catch (error) {
    throw usageError(
      `${source} is not valid YAML`,
      'fix that line; for a complete example: genai-obs profile show --resolved',
      messageOf(error).split('\n')[0]?.replace(/:$/, ''),
    );
  }
}

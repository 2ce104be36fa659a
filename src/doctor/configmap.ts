import type { Place } from '../parts/catalog.ts';
import type { KubeObject } from '../core/types.ts';

/**
 * The ConfigMap with the configuration that a component runs with: the one that its place names, else the one called
 * like its workload or its release. Operators keep old versions under a hash: the newest counts.
 */
export function configMapOf({ id, namespace, workload, configMap }: Place, maps: KubeObject[]): KubeObject | undefined {
  const own = maps.filter(({ metadata }) => (metadata.namespace ?? namespace) === namespace);
  const named = (name: string) => own.find(({ metadata }) => metadata.name === name);
  if (!configMap) return named(workload.name) ?? named(id);
  if (!configMap.prefix) return named(configMap.name);
  const version = (name: string) =>
    name === configMap.name ||
    (name.startsWith(`${configMap.name}-`) && /^[0-9a-f]+$/.test(name.slice(configMap.name.length + 1)));
  const age = ({ metadata }: KubeObject) => metadata.creationTimestamp ?? '';
  return own.filter(({ metadata }) => version(metadata.name)).toSorted((a, b) => age(b).localeCompare(age(a)))[0];
}

/** Key of the configuration in its ConfigMap: as the place says, else what looks like the main file. */
export function configKeyOf({ configMap }: Place, data: Record<string, unknown>): string | undefined {
  const keys = Object.keys(data);
  if (configMap) return keys.find((key) => key === configMap.key);
  const yaml = keys.filter((key) => /\.ya?ml$/.test(key));
  return keys.find((key) => key === 'config.yaml') ?? keys.find((key) => key.endsWith('.ini')) ?? yaml[0];
}

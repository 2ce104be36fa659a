import { parse } from 'yaml';
import { CATALOG } from '../../components/catalog.ts';
import type { ComponentId } from '../../profile/schema.ts';
import type { Collector } from './context.ts';

/** The configuration a component runs with, from the ConfigMap named like its workload or its release. */
export const configOf: Collector = async (component, context) => {
  const workload = CATALOG[component as ComponentId]?.workload.name;
  const maps = await context.objects('ConfigMap');
  const map = maps.find((m) => m.metadata.name === workload) ?? maps.find((m) => m.metadata.name === component);
  if (!map) throw new Error(`there is no ConfigMap ${workload ?? component} in namespace ${context.namespace}`);
  const data = (map['data'] ?? {}) as Record<string, string>;
  const key = mainKey(Object.keys(data));
  if (!key) throw new Error(`ConfigMap ${map.metadata.name} holds no configuration file`);
  const text = data[key] ?? '';
  return key.endsWith('.ini') ? parseIni(text) : (parse(text, { logLevel: 'error' }) as unknown);
};

function mainKey(keys: string[]): string | undefined {
  const yaml = keys.filter((key) => /\.ya?ml$/.test(key));
  return keys.find((key) => key === 'config.yaml') ?? keys.find((key) => key.endsWith('.ini')) ?? yaml[0];
}

export function parseIni(text: string): Record<string, Record<string, string>> {
  const out: Record<string, Record<string, string>> = {};
  let section = '';
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const head = /^\[(.+)\]$/.exec(line);
    const pair = /^([^#;=]+?)\s*=\s*(.*)$/.exec(line);
    if (head) section = head[1] ?? '';
    else if (pair) (out[section] ??= {})[pair[1] ?? ''] = pair[2] ?? '';
  }
  return out;
}

import { parse } from 'yaml';
import type { Kube } from '../../adapters/kube.ts';
import { type Place, type PlacedId, placeOf } from '../../parts/catalog.ts';
import { configKeyOf, configMapOf } from '../../checks/lib/place.ts';
import type { Collector } from './context.ts';
import { scrub } from './scrub.ts';

/** The configuration a component runs with, from its ConfigMap; an operator that keeps it in a packed Secret leaves the server itself to tell it. */
export const configOf: Collector = async (component, context) => {
  const place = placeOf(context.config, component as PlacedId);
  if (place.chart === 'kube-prometheus-stack') return told(place, context.kube);
  const map = configMapOf(place, await context.objects('ConfigMap'));
  if (!map)
    throw new Error(
      `there is no ConfigMap ${place.configMap?.name ?? place.workload.name} in namespace ${place.namespace}`,
    );
  const data = (map['data'] ?? {}) as Record<string, string>;
  const key = configKeyOf(place, data);
  if (!key) throw new Error(`ConfigMap ${map.metadata.name} holds no configuration file`);
  const text = data[key] ?? '';
  return key.endsWith('.ini') ? parseIni(text) : (parse(text, { logLevel: 'error' }) as unknown);
};

/** Both hide secrets in what they show; what remains is scrubbed like every fact. */
async function told({ id, title, namespace, service }: Place, kube: Kube): Promise<unknown> {
  const path = id === 'prometheus' ? '/api/v1/status/config' : '/api/v2/status';
  const { status, body } = await kube.service(namespace, service.name, service.port, path, { timeout: 9_000 });
  if (status !== 200) throw new Error(`GET ${path} of ${title} answers ${status}`);
  const answer = JSON.parse(body) as { data?: { yaml?: string }; config?: { original?: string } };
  const text = answer.data?.yaml ?? answer.config?.original;
  if (text === undefined) throw new Error(`${title} does not show its configuration`);
  return scrub(parse(text, { logLevel: 'error' }) as unknown);
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

import { parse } from 'yaml';
import type { Kube } from '../../adapters/kube.ts';
import { type Place, type PlacedId, placeOf } from '../../parts/catalog.ts';
import { configKeyOf, configMapOf } from '../../checks/lib/place.ts';
import type { Collector } from './context.ts';
import { scrub } from './scrub.ts';

/**
 * The configuration of a component, from its ConfigMap. The Prometheus operator keeps it in a compressed Secret; there
 * the server reports it.
 */
export const configOf: Collector = async (component, context) => {
  const place = placeOf(context.config, component as PlacedId);
  if (place.chart === 'kube-prometheus-stack') return fromServer(place, context.kube);
  const map = configMapOf(place, await context.objects('ConfigMap'));
  const name = place.configMap?.name ?? place.workload.name;
  if (!map) throw new Error(`namespace ${place.namespace} has no ConfigMap ${name}`);
  const data = (map['data'] ?? {}) as Record<string, string>;
  const key = configKeyOf(place, data);
  if (!key) throw new Error(`ConfigMap ${map.metadata.name} holds no configuration file`);
  const text = data[key] ?? '';
  return key.endsWith('.ini') ? parseIni(text) : (parse(text, { logLevel: 'error' }) as unknown);
};

/** Prometheus and Alertmanager mask secrets in this response; the rest is scrubbed like every fact. */
async function fromServer({ id, title, namespace, service }: Place, kube: Kube): Promise<unknown> {
  const path = id === 'prometheus' ? '/api/v1/status/config' : '/api/v2/status';
  const { status, body } = await kube.service(namespace, service.name, service.port, path, { timeout: 9_000 });
  if (status !== 200) throw new Error(`GET ${path} of ${title}: HTTP ${status}`);
  const response = JSON.parse(body) as { data?: { yaml?: string }; config?: { original?: string } };
  const text = response.data?.yaml ?? response.config?.original;
  if (text === undefined) throw new Error(`${title} does not report its configuration`);
  return scrub(parse(text, { logLevel: 'error' }) as unknown);
}

/** By hand: the package `ini` nests dotted sections and cuts values at `#`; Grafana does neither. */
function parseIni(text: string): Record<string, Record<string, string>> {
  const sections: Record<string, Record<string, string>> = {};
  let section = '';
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const head = /^\[(.+)\]$/.exec(line);
    const pair = /^([^#;=]+?)\s*=\s*(.*)$/.exec(line);
    if (head) section = head[1] ?? '';
    else if (pair) (sections[section] ??= {})[pair[1] ?? ''] = pair[2] ?? '';
  }
  return sections;
}

import { yamlAsset } from '../core/assets.ts';
import type { Json, JsonMap } from '../core/types.ts';
import { type Config, namespaceOf } from '../profile/schema.ts';
import { placed } from './addresses.ts';
import { listAt, set } from './edit.ts';

/** uids of datasources whose backend is enabled. */
export function backendsOf(config: Config): Set<string> {
  return new Set((['prometheus', 'loki', 'tempo'] as const).filter((id) => config[id].enabled));
}

/** Correlations: jsonData keys that point to another datasource. */
const LINKS: Record<string, Record<string, string>> = {
  prometheus: { exemplarTraceIdDestinations: 'tempo' },
  loki: { derivedFields: 'tempo' },
  tempo: { tracesToLogsV2: 'loki', lokiSearch: 'loki', tracesToMetrics: 'prometheus', serviceMap: 'prometheus' },
};

/** Grafana's provisioning file: only datasources that exist, only links that lead somewhere. */
export function datasources(config: Config): JsonMap {
  const file = yamlAsset('templates', 'datasources', 'datasources.yaml');
  const backends = backendsOf(config);
  const kept = listAt(file, 'datasources').flatMap((entry): Json[] => {
    const uid = (entry as { uid: string }).uid;
    // No panel asks it: it is no backend of dashboards.
    if (!(uid === 'alertmanager' ? config.alertmanager.enabled : backends.has(uid))) return [];
    let source = entry as JsonMap;
    for (const [key, target] of Object.entries(LINKS[uid] ?? {})) if (!backends.has(target)) source = set(source, ['jsonData', key], undefined);
    return [source];
  });
  return { ...file, datasources: placed(kept, config, namespaceOf(config, 'grafana')) };
}

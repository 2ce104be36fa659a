import { yamlAsset } from '../../core/assets.ts';
import type { Json, JsonMap } from '../../core/types.ts';
import { type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { secondsIn } from '../../profile/values.ts';
import { jaegerHost, traceStore } from '../addresses.ts';
import { withAddresses } from '../addresses.ts';
import { at, listAt, set } from '../../core/json.ts';

export const backendsOf = (config: Config): Set<string> =>
  new Set((['prometheus', 'loki', 'tempo', 'jaeger'] as const).filter((id) => isEnabled(config, id)));

/** Correlations: jsonData keys that refer to another datasource. */
const LINKS: Record<string, Record<string, string>> = {
  prometheus: { exemplarTraceIdDestinations: 'tempo' },
  loki: { derivedFields: 'tempo' },
  jaeger: { tracesToLogsV2: 'loki', tracesToMetrics: 'prometheus' },
  tempo: { tracesToLogsV2: 'loki', lokiSearch: 'loki', tracesToMetrics: 'prometheus', serviceMap: 'prometheus' },
};

/** Grafana's provisioning file, with enabled datasources and links between them. */
export function datasources(config: Config): JsonMap {
  const file = yamlAsset('templates', 'datasources', 'datasources.yaml');
  const backends = backendsOf(config);
  const target = (uid: string): string => (uid === 'tempo' ? (traceStore(config) ?? uid) : uid);
  const enabled = listAt(file, 'datasources').flatMap((entry): Json[] => {
    const uid = (entry as { uid: string }).uid;
    // Alertmanager is not a backend of dashboards.
    if (!(uid === 'alertmanager' ? config.alertmanager.enabled : backends.has(uid))) return [];
    let source = entry as JsonMap;
    for (const [key, wanted] of Object.entries(LINKS[uid] ?? {})) {
      const link = at(source, 'jsonData', key);
      source = set(
        source,
        ['jsonData', key],
        backends.has(target(wanted)) && link ? relinked(link, wanted, target(wanted)) : undefined,
      );
    }
    if (uid === 'jaeger')
      return [set(source, ['url'], `http://${jaegerHost(config, namespaceOf(config, 'grafana'))}:16686`)];
    return [uid === 'prometheus' ? set(source, ['jsonData', 'timeInterval'], stepOf(config)) : source];
  });
  return { ...file, datasources: withAddresses(enabled, config, namespaceOf(config, 'grafana')) };
}

/** Smallest step of panels: recording rules are evaluated every 30 s. */
const stepOf = ({ prometheus: { server } }: Config): string =>
  secondsIn(server.scrapeInterval) > 30 ? server.scrapeInterval : '30s';

function relinked(link: Json, from: string, to: string): Json {
  if (from === to) return link;
  if (Array.isArray(link)) return link.map((one) => relinked(one, from, to));
  return { ...(link as JsonMap), datasourceUid: to };
}

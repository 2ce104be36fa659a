import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt, mapAt, set } from '../../core/json.ts';

/** Removes an exporter, then every pipeline and connector that would lead nowhere without it. */
export function withoutExporter(config: JsonMap, name: string): JsonMap {
  const removed = new Set([name]);
  const connectors = Object.keys(mapAt(config, 'connectors'));
  let pipelines = mapAt(config, 'service', 'pipelines');
  for (;;) {
    const connected = Object.entries(pipelines).flatMap(([id, pipeline]): [string, Json][] => {
      const exporters = namesAt(pipeline, 'exporters').filter((exporter) => !removed.has(exporter));
      const receivers = namesAt(pipeline, 'receivers').filter((receiver) => !removed.has(receiver));
      return exporters.length && receivers.length ? [[id, { ...(pipeline as JsonMap), receivers, exporters }]] : [];
    });
    const next = Object.fromEntries(connected);
    // A connector must be an exporter of one pipeline and a receiver of another.
    const used = (side: string): Set<string> =>
      new Set(Object.values(next).flatMap((pipeline) => namesAt(pipeline, side)));
    const [sends, receives] = [used('exporters'), used('receivers')];
    const broken = connectors.filter(
      (connector) => !removed.has(connector) && sends.has(connector) !== receives.has(connector),
    );
    pipelines = next;
    if (broken.length === 0) break;
    for (const connector of broken) removed.add(connector);
  }
  const without = (section: string): JsonMap =>
    Object.fromEntries(Object.entries(mapAt(config, section)).filter(([key]) => !removed.has(key)));
  return set(
    { ...config, exporters: without('exporters'), connectors: without('connectors') },
    ['service', 'pipelines'],
    pipelines,
  );
}

/** Renames an exporter, also in pipelines, and changes some of its settings. */
export function renamedExporter(config: JsonMap, from: string, to: string, over: JsonMap): JsonMap {
  const exporters = Object.entries(mapAt(config, 'exporters')).map(([id, settings]): [string, Json] =>
    id === from ? [to, { ...(settings as JsonMap), ...over }] : [id, settings],
  );
  const pipelines = Object.entries(mapAt(config, 'service', 'pipelines')).map(([id, pipeline]): [string, Json] => [
    id,
    { ...(pipeline as JsonMap), exporters: namesAt(pipeline, 'exporters').map((name) => (name === from ? to : name)) },
  ]);
  return set(
    { ...config, exporters: Object.fromEntries(exporters) },
    ['service', 'pipelines'],
    Object.fromEntries(pipelines),
  );
}

const namesAt = (pipeline: Json, side: string): string[] => listAt(pipeline, side) as string[];

/** Removes pipelines of signals without a backend, because the gateway would refuse them. */
export function onlyStored(config: JsonMap, profile: Config): JsonMap {
  const accepted = Object.entries(mapAt(config, 'service', 'pipelines')).filter(
    ([id]) =>
      !(id.startsWith('metrics') && !profile.prometheus.enabled) && !(id.startsWith('logs') && !profile.loki.enabled),
  );
  return set(config, ['service', 'pipelines'], Object.fromEntries(accepted));
}

/** Chart values of every collector, for the resource attributes of all telemetry. */
export function collectorEnv(config: Config): JsonMap {
  return { environment: config.global.environment, clusterName: config.global.clusterName };
}

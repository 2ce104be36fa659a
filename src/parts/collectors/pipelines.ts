import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt, mapAt, set } from '../../core/json.ts';

/** Removes an exporter, and then every pipeline and connector that leads nowhere without it. */
export function withoutExporter(config: JsonMap, name: string): JsonMap {
  const gone = new Set([name]);
  const connectors = Object.keys(mapAt(config, 'connectors'));
  let pipelines = mapAt(config, 'service', 'pipelines');
  for (;;) {
    const kept = Object.entries(pipelines).flatMap(([id, pipeline]): [string, Json][] => {
      const exporters = namesAt(pipeline, 'exporters').filter((exporter) => !gone.has(exporter));
      const receivers = namesAt(pipeline, 'receivers').filter((receiver) => !gone.has(receiver));
      return exporters.length && receivers.length ? [[id, { ...(pipeline as JsonMap), receivers, exporters }]] : [];
    });
    const next = Object.fromEntries(kept);
    // A connector must be both an exporter of one pipeline and a receiver of another.
    const used = (side: string): Set<string> =>
      new Set(Object.values(next).flatMap((pipeline) => namesAt(pipeline, side)));
    const [sends, receives] = [used('exporters'), used('receivers')];
    const broken = connectors.filter(
      (connector) => !gone.has(connector) && sends.has(connector) !== receives.has(connector),
    );
    pipelines = next;
    if (broken.length === 0) break;
    for (const connector of broken) gone.add(connector);
  }
  const without = (section: string): JsonMap =>
    Object.fromEntries(Object.entries(mapAt(config, section)).filter(([key]) => !gone.has(key)));
  return set(
    { ...config, exporters: without('exporters'), connectors: without('connectors') },
    ['service', 'pipelines'],
    pipelines,
  );
}

/** The same exporter under another name, with some of its settings changed, wherever pipelines speak of it. */
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

/** Leaves out the pipelines of signals that the gateway does not take: it would refuse them for ever. */
export function onlyStored(config: JsonMap, profile: Config): JsonMap {
  const kept = Object.entries(mapAt(config, 'service', 'pipelines')).filter(
    ([id]) =>
      !(id.startsWith('metrics') && !profile.prometheus.enabled) && !(id.startsWith('logs') && !profile.loki.enabled),
  );
  return set(config, ['service', 'pipelines'], Object.fromEntries(kept));
}

/** Chart values of every collector: the resource attributes that all telemetry gets (contradiction X-21: both spellings). */
export function collectorEnv(config: Config): JsonMap {
  return { environment: config.global.environment, clusterName: config.global.clusterName };
}

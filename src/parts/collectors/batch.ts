import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { at, mapAt, set } from '../../core/json.ts';

/** No timeout over 10 s, because a crash loses the batches in memory. */
const PRESETS: Record<Config['opentelemetry-collector']['batch'], JsonMap & { send_batch_max_size: number }> = {
  'low-latency': { timeout: '1s', send_batch_size: 2048, send_batch_max_size: 4096 },
  balanced: { timeout: '10s', send_batch_size: 1024, send_batch_max_size: 4096 },
  throughput: { timeout: '10s', send_batch_size: 10_000, send_batch_max_size: 10_000 },
};

/** Queue space per item of the largest batch: a batch that does not fit into the queue is lost. */
const ITEM_BYTES = 8192;

/** Sets the gateway's batches, and enlarges queues to hold the largest batch. */
export function withBatches(gateway: JsonMap, config: Config): JsonMap {
  const preset = PRESETS[config['opentelemetry-collector'].batch];
  const needed = preset.send_batch_max_size * ITEM_BYTES;
  const exporters = Object.entries(mapAt(gateway, 'exporters')).map(([name, exporter]): [string, Json] => {
    const size = at(exporter, 'sending_queue', 'queue_size');
    return [
      name,
      typeof size === 'number' && size < needed
        ? set(exporter as JsonMap, ['sending_queue', 'queue_size'], needed)
        : exporter,
    ];
  });
  return set(set(gateway, ['processors', 'batch'], preset), ['exporters'], Object.fromEntries(exporters));
}

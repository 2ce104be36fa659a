import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { at, mapAt, set } from '../../core/json.ts';

/** Until when, and how many: the documents' three settings (contradiction X-11); 30 s of the third would cost too much in a crash (upstream.md B.5 19). */
const PRESETS: Record<Config['opentelemetry-collector']['batch'], JsonMap & { send_batch_max_size: number }> = {
  'low-latency': { timeout: '1s', send_batch_size: 2048, send_batch_max_size: 4096 },
  balanced: { timeout: '10s', send_batch_size: 1024, send_batch_max_size: 4096 },
  throughput: { timeout: '10s', send_batch_size: 10_000, send_batch_max_size: 10_000 },
};

/** What a queue holds for each item of the largest batch: one that does not fit in whole is lost. */
const ITEM_BYTES = 8192;

/** The gateway's batches, and queues into which the largest of them fits. */
export function batched(base: JsonMap, config: Config): JsonMap {
  const preset = PRESETS[config['opentelemetry-collector'].batch];
  const needed = preset.send_batch_max_size * ITEM_BYTES;
  const exporters = Object.entries(mapAt(base, 'exporters')).map(([name, exporter]): [string, Json] => {
    const size = at(exporter, 'sending_queue', 'queue_size');
    return [
      name,
      typeof size === 'number' && size < needed
        ? set(exporter as JsonMap, ['sending_queue', 'queue_size'], needed)
        : exporter,
    ];
  });
  return set(set(base, ['processors', 'batch'], preset), ['exporters'], Object.fromEntries(exporters));
}

import { set } from './edit.ts';
import type { Component } from './types.ts';

/** Traces, monolithic on a claim (000-COMP-04); its generator draws the service map. */
export const tempo: Component = {
  id: 'tempo',
  phase: 'backends',
  needs: [],
  configure(base, config) {
    const kept = set(base, ['compactor', 'compaction', 'block_retention'], goHours(config.tempo.retention));
    return config.prometheus.enabled ? kept : set(set(kept, ['metrics_generator'], undefined), ['overrides'], undefined);
  },
};

/** Tempo parses Go durations, which know no days: 15d becomes 360h. */
export function goHours(duration: string): string {
  const hours: Record<string, number> = { h: 1, d: 24, w: 168, y: 8760 };
  const unit = duration.at(-1) ?? 'h';
  return `${Number(duration.slice(0, -1)) * (hours[unit] ?? 1)}h`;
}

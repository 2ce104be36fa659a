import { stringify } from 'yaml';
import { set } from './edit.ts';
import type { Component } from './types.ts';
import { OWN_LABEL, checksumAnnotations, dataVolume, imageParts, resourcesOf } from './upstream.ts';

/** Traces, monolithic on a claim (000-COMP-04); its generator draws the service map. */
export const tempo: Component = {
  id: 'tempo',
  phase: 'backends',
  needs: [],
  configure(base, config) {
    const kept = set(base, ['compactor', 'compaction', 'block_retention'], goHours(config.tempo.retention));
    return config.prometheus.enabled ? kept : set(set(kept, ['metrics_generator'], undefined), ['overrides'], undefined);
  },
  upstream: {
    // Values nest under `tempo:`; without persistence the chart mounts nothing at /var/tempo (upstream.md A.10).
    tempo: (input) => ({
      fullnameOverride: 'tempo',
      extraLabels: OWN_LABEL,
      podLabels: OWN_LABEL,
      podAnnotations: checksumAnnotations(input),
      config: stringify(input.configuration),
      persistence: { enabled: false },
      extraVolumes: [dataVolume(input)],
      tempo: {
        ...imageParts(input.image),
        metricsGenerator: { enabled: input.config.prometheus.enabled },
        extraVolumeMounts: [{ name: 'data', mountPath: input.place.claim?.mountPath ?? '/var/tempo' }],
        resources: resourcesOf(input),
      },
    }),
  },
};

/** Tempo parses Go durations, which know no days: 15d becomes 360h. */
export function goHours(duration: string): string {
  const hours: Record<string, number> = { h: 1, d: 24, w: 168, y: 8760 };
  const unit = duration.at(-1) ?? 'h';
  return `${Number(duration.slice(0, -1)) * (hours[unit] ?? 1)}h`;
}

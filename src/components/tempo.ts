import { stringify } from 'yaml';
import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
import { hoursIn } from '../profile/values.ts';
import { at, set } from '../core/json.ts';
import { objectStore, storeEnv } from '../parts/storage.ts';
import type { Component } from '../parts/types.ts';
import { OWN_LABEL, checksumAnnotations, dataVolume, imageParts, resourcesOf } from '../parts/upstream.ts';

/** Traces, in monolithic mode on a claim or on object storage; its generator derives the service map. */
export const tempo: Component = {
  id: 'tempo',
  phase: 'backends',
  needs: ['secret/s3-credentials', 'release/seaweedfs'],
  configure(template, config) {
    const tempo = set(
      withObjectStore(template, config),
      ['compactor', 'compaction', 'block_retention'],
      goHours(config.tempo.retention),
    );
    return config.prometheus.enabled
      ? tempo
      : set(set(tempo, ['metrics_generator'], undefined), ['overrides'], undefined);
  },
  values: (config) => (objectStore(config) ? { extraEnv: storeEnv(config) } : {}),
  upstream: {
    // Most values are under `tempo`; without persistence the chart mounts nothing at /var/tempo.
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
        readinessProbe: { initialDelaySeconds: 2, periodSeconds: 2 },
        metricsGenerator: { enabled: input.config.prometheus.enabled },
        extraArgs: { 'config.expand-env': 'true' },
        extraEnv: storeEnv(input.config),
        extraVolumeMounts: [{ name: 'data', mountPath: input.place.claim?.mountPath ?? '/var/tempo' }],
        resources: resourcesOf(input),
      },
    }),
  },
};

/** Blocks in a bucket; the claim holds the write-ahead log. */
function withObjectStore(template: JsonMap, config: Config): JsonMap {
  const store = objectStore(config);
  if (!store) return template;
  const { endpoint, region, buckets, forcePathStyle, insecure } = store;
  const s3 = {
    bucket: buckets.tempo,
    endpoint,
    region,
    access_key: '${S3_ACCESS_KEY}',
    secret_key: '${S3_SECRET_KEY}',
    forcepathstyle: forcePathStyle,
    insecure,
  };
  return set(template, ['storage', 'trace'], { backend: 's3', wal: at(template, 'storage', 'trace', 'wal') ?? {}, s3 });
}

/** Tempo parses Go durations, which have no days: 15d becomes 360h. */
export const goHours = (duration: string): string => `${hoursIn(duration)}h`;

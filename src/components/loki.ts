import { stringify } from 'yaml';
import { set } from './edit.ts';
import type { Component } from './types.ts';
import { OWN_LABEL, checksumAnnotations, dataVolume, imageParts, resourcesOf } from './upstream.ts';

/** Logs, monolithic on a claim (000-COMP-05). */
export const loki: Component = {
  id: 'loki',
  phase: 'backends',
  needs: [],
  configure: (base, config) => set(base, ['limits_config', 'retention_period'], config.loki.retention),
  upstream: {
    // One process with our own configuration, no gateway, no caches of gigabytes (upstream.md A.9).
    loki: (input) => ({
      deploymentMode: 'Monolithic',
      fullnameOverride: 'loki',
      commonLabels: OWN_LABEL,
      loki: {
        image: imageParts(input.image),
        auth_enabled: false,
        configStorageType: 'ConfigMap',
        config: stringify(input.configuration),
        schemaConfig: input.configuration['schema_config'] ?? {},
        storage: { type: 'filesystem' },
      },
      singleBinary: {
        replicas: 1,
        podLabels: OWN_LABEL,
        podAnnotations: checksumAnnotations(input),
        persistence: { enabled: false },
        extraVolumes: [dataVolume(input)],
        extraVolumeMounts: [{ name: 'data', mountPath: input.place.claim?.mountPath ?? '/loki' }],
        resources: resourcesOf(input),
      },
      read: { replicas: 0 },
      write: { replicas: 0 },
      backend: { replicas: 0 },
      gateway: { enabled: false },
      chunksCache: { enabled: false },
      resultsCache: { enabled: false },
      lokiCanary: { enabled: false },
      test: { enabled: false },
      sidecar: { rules: { enabled: false } },
    }),
  },
};

import { stringify } from 'yaml';
import type { Json, JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
import { listAt, mapAt, set } from '../core/json.ts';
import { objectStore, storeEnv } from '../parts/storage.ts';
import { LOKI_RULES, LOKI_RULES_PATH } from '../parts/prometheus/teams.ts';
import type { Component } from '../parts/types.ts';
import { OWN_LABEL, checksumAnnotations, dataVolume, imageParts, resourcesOf } from '../parts/upstream.ts';

export const loki: Component = {
  id: 'loki',
  phase: 'backends',
  needs: ['loki-rules', 'secret/s3-credentials', 'release/seaweedfs'],
  configure: (template, config) =>
    withRules(
      withObjectStore(set(template, ['limits_config', 'retention_period'], config.loki.retention), config),
      config,
    ),
  values: (config) => ({
    ...(objectStore(config) ? { extraEnv: storeEnv(config) } : {}),
    ...(config.teams.length ? { rulesConfigMap: LOKI_RULES } : {}),
  }),
  upstream: {
    // One process with our own configuration; the chart's defaults add a gateway and caches of several GB.
    loki: (input) => ({
      deploymentMode: 'Monolithic',
      fullnameOverride: 'loki',
      commonLabels: OWN_LABEL,
      loki: {
        image: imageParts(input.image),
        auth_enabled: false,
        configStorageType: 'ConfigMap',
        config: stringify(input.configuration),
        // The chart's initial delay is 15 s.
        readinessProbe: { initialDelaySeconds: 2, periodSeconds: 2 },
        schemaConfig: input.configuration['schema_config'] ?? {},
        storage: { type: 'filesystem' },
      },
      singleBinary: {
        replicas: 1,
        podLabels: OWN_LABEL,
        podAnnotations: checksumAnnotations(input),
        // As in our own chart: flushed chunks need no replay of the write-ahead log.
        lifecycle: { preStop: { httpGet: { path: '/flush', port: 'http-metrics' } } },
        persistence: { enabled: false },
        extraEnv: storeEnv(input.config),
        extraVolumes: [dataVolume(input), ...ifTeams(input.config, { name: 'rules', configMap: { name: LOKI_RULES } })],
        extraVolumeMounts: [
          { name: 'data', mountPath: input.place.claim?.mountPath ?? '/loki' },
          ...ifTeams(input.config, { name: 'rules', mountPath: LOKI_RULES_PATH, readOnly: true }),
        ],
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

const ifTeams = (config: Config, part: JsonMap): JsonMap[] => (config.teams.length ? [part] : []);

/** Chunks, index and delete requests in one bucket; the claim holds write-ahead log and caches. */
function withObjectStore(template: JsonMap, config: Config): JsonMap {
  const store = objectStore(config);
  if (!store) return template;
  const { endpoint, region, buckets, forcePathStyle, insecure } = store;
  const s3 = {
    endpoint,
    region,
    bucketnames: buckets.loki,
    access_key_id: '${S3_ACCESS_KEY}',
    secret_access_key: '${S3_SECRET_KEY}',
    s3forcepathstyle: forcePathStyle,
    insecure,
  };
  const periods = listAt(template, 'schema_config', 'configs').map((period): Json => ({
    ...(period as JsonMap),
    object_store: 's3',
  }));
  const stored = set(set(template, ['common', 'storage'], { s3 }), ['schema_config', 'configs'], periods);
  return set(stored, ['compactor', 'delete_request_store'], 's3');
}

function withRules(template: JsonMap, config: Config): JsonMap {
  if (config.teams.length === 0) return template;
  const alerts = config.alertmanager.enabled ? mapAt(template, 'ruler') : {};
  // Without multi-tenancy the only tenant is `fake`; its folder is the mount path.
  const storage = { type: 'local', local: { directory: LOKI_RULES_PATH.replace(/\/fake$/, '') } };
  return set(template, ['ruler'], {
    ...alerts,
    storage,
    rule_path: '/loki/rules-scratch',
    enable_api: true,
    ring: { kvstore: { store: 'inmemory' } },
  });
}

import type { Json } from '../core/types.ts';
import { type Config, isEnabled, namespaceOf } from '../profile/schema.ts';

export interface ObjectStore {
  /** Host and port, without a scheme. */
  endpoint: string;
  region: string;
  buckets: { loki: string; tempo: string };
  forcePathStyle: boolean;
  insecure: boolean;
  /** Secret with the keys access-key and secret-key. */
  secret: string;
}

export const ACCESS_KEY = 'access-key';
export const SECRET_KEY = 'secret-key';

/** Undefined: data are on the claims. For SeaweedFS in the cluster, missing settings are known. */
export function objectStore(config: Config): ObjectStore | undefined {
  const { enabled, ...s3 } = config.storage.s3;
  if (!enabled) return undefined;
  if (!isEnabled(config, 'seaweedfs') || s3.endpoint) return s3;
  return {
    ...s3,
    endpoint: `seaweedfs-all-in-one.${namespaceOf(config, 'seaweedfs')}.svc:8333`,
    buckets: { loki: s3.buckets.loki || 'loki', tempo: s3.buckets.tempo || 'tempo' },
    forcePathStyle: true,
    insecure: true,
    secret: s3.secret || 's3-credentials',
  };
}

/** Variables `${S3_ACCESS_KEY}` and `${S3_SECRET_KEY}`, so that no ConfigMap holds a secret. */
export function storeEnv(config: Config): Json[] {
  const store = objectStore(config);
  if (!store) return [];
  const from = (name: string, key: string): Json => ({
    name,
    valueFrom: { secretKeyRef: { name: store.secret, key } },
  });
  return [from('S3_ACCESS_KEY', ACCESS_KEY), from('S3_SECRET_KEY', SECRET_KEY)];
}

import { ACCESS_KEY, SECRET_KEY, objectStore } from '../../parts/storage.ts';
import { sizedResources } from '../../profile/sizes.ts';
import { SEAWEEDFS_CLAIM, imageOf } from '../../parts/catalog.ts';
import { OWN_LABEL } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';

/** Secret with its identities, which refer to the keys by the chart's variables. */
export const SEAWEEDFS_IDENTITIES = 'seaweedfs-s3';

/** Content of that Secret; the chart's own would come from a hook and stay after uninstall. */
export const identities = (): Record<string, string> => ({
  seaweedfs_s3_config: JSON.stringify({
    identities: [
      {
        name: 'genai-obs',
        credentials: [
          { accessKey: '${SEAWEEDFS_S3_ADMIN_ACCESS_KEY_ID}', secretKey: '${SEAWEEDFS_S3_ADMIN_SECRET_ACCESS_KEY}' },
        ],
        actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
      },
    ],
  }),
});

const IMAGE = 'docker.io/chrislusf/seaweedfs:4.44';

/** S3 in the cluster, in one process on one claim, with the buckets of Loki and Tempo. */
export const seaweedfs: Addon = {
  id: 'seaweedfs',
  title: 'SeaweedFS',
  phase: 'storage',
  chart: 'seaweedfs',
  release: 'seaweedfs',
  workloads: () => [{ kind: 'Deployment', name: 'seaweedfs-all-in-one' }],
  needs: (config) => [
    'secret/s3-credentials',
    'secret/seaweedfs-s3',
    ...(config.storage.enabled ? [`claim/${SEAWEEDFS_CLAIM}`] : []),
  ],
  values(config) {
    const store = objectStore(config);
    const image = imageOf(IMAGE, config.global.imageRegistry);
    const resources = sizedResources(config.size, 'seaweedfs');
    return {
      fullnameOverride: 'seaweedfs',
      global: { seaweedfs: { createClusterRole: false } },
      podLabels: OWN_LABEL,
      master: { enabled: false, imageOverride: image },
      volume: { enabled: false },
      filer: { enabled: false },
      s3: {
        credentials: {
          admin: { existingSecret: store?.secret ?? '', accessKeyKey: ACCESS_KEY, secretKeyKey: SECRET_KEY },
        },
      },
      allInOne: {
        enabled: true,
        imageOverride: image,
        podLabels: OWN_LABEL,
        s3: {
          enabled: true,
          enableAuth: true,
          existingConfigSecret: SEAWEEDFS_IDENTITIES,
          createBuckets: [{ name: store?.buckets.loki ?? '' }, { name: store?.buckets.tempo ?? '' }],
        },
        data: config.storage.enabled ? { type: 'existingClaim', claimName: SEAWEEDFS_CLAIM } : { type: 'emptyDir' },
        ...(resources ? { resources } : {}),
      },
    };
  },
};

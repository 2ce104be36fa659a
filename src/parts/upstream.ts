import { yamlAsset } from '../core/assets.ts';
import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { JsonMap } from '../core/types.ts';
import { sizedResources } from '../profile/sizes.ts';
import type { Input } from './types.ts';

/** Label on objects of upstream charts; in a release's values it marks the release as ours. */
export const OWN_LABEL: Record<string, string> = { [PART_OF_LABEL]: PART_OF };

/** securityContext of every container, in addition to its user. */
export const CONTAINER_SECURITY: JsonMap = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** Splits `quay.io/prometheus/prometheus:v3.14.0` into the three values of most charts. */
export function imageParts(image: string): { registry: string; repository: string; tag: string } {
  const slash = image.indexOf('/');
  const colon = image.lastIndexOf(':');
  return { registry: image.slice(0, slash), repository: image.slice(slash + 1, colon), tag: image.slice(colon + 1) };
}

/** For charts without a separate value for the registry. */
export function imageOneHost(image: string): { repository: string; tag: string } {
  const { registry, repository, tag } = imageParts(image);
  return { repository: `${registry}/${repository}`, tag };
}

export function resourcesOf({ config, place }: Input): JsonMap {
  return (
    sizedResources(config.size, place.id) ??
    yamlAsset<{ resources: JsonMap }>('templates', place.id, 'values.yaml').resources
  );
}

/** Pod annotations that roll the pods when a mounted ConfigMap changes. */
export const checksumAnnotations = ({ checksums }: Input): Record<string, string> =>
  Object.fromEntries(Object.entries(checksums).map(([name, hash]) => [`checksum/${name}`, hash]));

/** The claim as a volume, or an emptyDir. */
export const dataVolume = ({ claim }: Input): JsonMap =>
  claim ? { name: 'data', persistentVolumeClaim: { claimName: claim } } : { name: 'data', emptyDir: {} };

/** Storage for the operator, without a sub path; its StatefulSet adopts our claim by the template's name. */
export function operatorStorage(
  { claim, config, place }: Input,
  field: 'storage' | 'storageSpec',
  size: string,
): JsonMap {
  if (!claim) return {};
  const { storageClass } = config.storage;
  const spec: JsonMap = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: size } },
    ...(storageClass ? { storageClassName: storageClass } : {}),
  };
  const name = claim.slice(0, -`-${place.workload.name}-0`.length);
  return { [field]: { disableMountSubPath: true, volumeClaimTemplate: { metadata: { name }, spec } } };
}

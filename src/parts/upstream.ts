import { yamlAsset } from '../core/assets.ts';
import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { JsonMap } from '../core/types.ts';
import { sizedResources } from '../profile/sizes.ts';
import type { Input } from './types.ts';

/** On the objects of upstream charts: by this in its values a release is known as ours. */
export const OWN_LABEL: Record<string, string> = { [PART_OF_LABEL]: PART_OF };

/** `quay.io/prometheus/prometheus:v3.14.0` → its three parts, as charts want them. */
export function imageParts(image: string): { registry: string; repository: string; tag: string } {
  const slash = image.indexOf('/');
  const colon = image.lastIndexOf(':');
  return { registry: image.slice(0, slash), repository: image.slice(slash + 1, colon), tag: image.slice(colon + 1) };
}

/** Registry and repository in one, for charts that know no registry of its own. */
export function imageOneHost(image: string): { repository: string; tag: string } {
  const { registry, repository, tag } = imageParts(image);
  return { repository: `${registry}/${repository}`, tag };
}

/** Requests and limits of the profile's size, else those that our own chart asks for. */
export function resourcesOf({ config, place }: Input): JsonMap {
  return (
    sizedResources(config.size, place.id) ??
    yamlAsset<{ resources: JsonMap }>('templates', place.id, 'values.yaml').resources
  );
}

/** A changed ConfigMap rolls the pods. */
export function checksumAnnotations({ checksums }: Input): Record<string, string> {
  return Object.fromEntries(Object.entries(checksums).map(([name, hash]) => [`checksum/${name}`, hash]));
}

/** The claim as a volume, or one that dies with the pod. */
export function dataVolume({ claim }: Input): JsonMap {
  return claim ? { name: 'data', persistentVolumeClaim: { claimName: claim } } : { name: 'data', emptyDir: {} };
}

/**
 * Storage of what the Prometheus operator makes: its StatefulSet takes the claim of that name, which is there before it.
 * Data lie at the claim's root, as our own charts keep them.
 */
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

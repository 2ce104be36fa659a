import { CouldNotLook, fail, type FactKey, type Look, ok, type Verdict, warn } from '../../doctor/types.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { percent } from './define.ts';
import { arr, num, rec, str } from './json.ts';
import { listIn } from './place.ts';
import { workloadOf } from './pods.ts';

export const CLAIM_READS: FactKey[] = ['k8s:PersistentVolumeClaim', 'k8s:PersistentVolume', 'k8s:Pod', 'kubelet:stats'];

const UNITS: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** Bytes of `8Gi`, `512Mi`, `1073741824`. */
export function bytes(quantity: string | undefined): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(quantity ?? '');
  const unit = UNITS[parts?.[2] ?? '-'];
  return parts && unit !== undefined ? Number(parts[1]) * unit : undefined;
}

export function gib(value: number): string {
  return value >= 2 ** 30 ? `${(value / 2 ** 30).toFixed(1)} GiB` : `${Math.round(value / 2 ** 20)} MiB`;
}

/**
 * Bound, and how full. Volumes that are folders of the node (local-path) have no figures of their own in the kubelet:
 * then the node's disk counts, and `own`, what the program says of its own files, against the claim's size.
 */
export function claimVerdict(look: Look, id: ComponentId, own?: () => number | undefined): Verdict {
  const { namespace, claim: planned } = look.place(id);
  const name = planned?.name ?? '';
  const object = `PersistentVolumeClaim ${namespace}/${name}`;
  const claim = look.find('PersistentVolumeClaim', name, namespace);
  if (!claim)
    return fail(`the claim ${name} does not exist`, {
      cause: 'it was deleted',
      fix: 'genai-obs install   # makes an empty one; data comes back from a backup: genai-obs restore',
      object,
    });
  const phase = str(claim, 'status', 'phase') ?? 'Pending';
  const size =
    str(claim, 'status', 'capacity', 'storage') ?? str(claim, 'spec', 'resources', 'requests', 'storage') ?? '?';
  if (phase !== 'Bound')
    return fail(`the claim ${name} (class ${str(claim, 'spec', 'storageClassName') ?? 'none'}, ${size}) is ${phase}`, {
      cause: 'no volume was provisioned for it',
      fix: `${look.kubectlFor(id)} describe pvc ${name}`,
      object,
    });
  const usage = usageOf(look, { namespace, name }, bytes(size), own);
  const text = `claim ${name} is bound (${size}); ${usage.text}`;
  const grow = `shorten the retention in the profile and re-apply: genai-obs install   # or, where the class can grow volumes: ${look.kubectlFor(id)} edit pvc ${name}`;
  const more = {
    cause: usage.cause,
    fix: usage.ofNode ? `free disk on the node: ${look.kubectl} describe node ${usage.ofNode}` : grow,
    object,
  };
  // A node's disk is shared: it is judged by the limit at which kubelets evict pods (90 %), not by the catalogue's for a claim.
  const [high, full] = usage.ofNode ? [0.88, 0.95] : [0.7, 0.85];
  if (usage.share >= full) return fail(text, more);
  return usage.share >= high ? warn(text, more) : ok(text);
}

interface Usage {
  share: number;
  text: string;
  cause: string;
  ofNode?: string;
}

function usageOf(
  look: Look,
  { namespace, name: claim }: { namespace: string; name: string },
  size: number | undefined,
  own?: () => number | undefined,
): Usage {
  const stats = rec(look.fact('kubelet:stats'));
  for (const node of Object.values(stats)) {
    for (const volume of arr(node, 'pods').flatMap((pod) =>
      str(pod, 'podRef', 'namespace') === namespace ? arr(pod, 'volume') : [],
    )) {
      const [capacity, used] = [num(volume, 'capacityBytes'), num(volume, 'usedBytes')];
      if (str(volume, 'pvcRef', 'name') !== claim || !capacity || used === undefined) continue;
      return {
        share: used / capacity,
        text: `${percent(used / capacity)} of ${gib(capacity)} used`,
        cause: 'the volume is filling up',
      };
    }
  }
  const bytesOwn = own?.();
  if (bytesOwn !== undefined && size) {
    const share = bytesOwn / size;
    if (share >= 0.7)
      return {
        share,
        text: `its files take ${gib(bytesOwn)}, ${percent(share)} of it`,
        cause: 'the volume is filling up',
      };
  }
  const pod = listIn(look, 'Pod', namespace).find((one) =>
    arr(one, 'spec', 'volumes').some((volume) => str(volume, 'persistentVolumeClaim', 'claimName') === claim),
  );
  const nodeName = str(pod, 'spec', 'nodeName');
  const fs = nodeName ? rec(stats[nodeName], 'node', 'fs') : {};
  const [capacity, free] = [num(fs, 'capacityBytes'), num(fs, 'availableBytes')];
  if (!nodeName || !capacity || free === undefined) throw new CouldNotLook(`no kubelet tells how full ${claim} is`);
  const files = bytesOwn === undefined ? '' : `its files take ${gib(bytesOwn)}; `;
  return {
    share: 1 - free / capacity,
    text: `${files}a folder of node ${nodeName}, whose disk is ${percent(1 - free / capacity)} full`,
    cause: `the disk of node ${nodeName} is filling up`,
    ofNode: nodeName,
  };
}

/** Whether a component's data lie on a claim: mounted by name, or made by its StatefulSet. */
export function hasVolume(look: Look, id: ComponentId): boolean {
  const workload = workloadOf(look, id);
  const mounted = arr(workload, 'spec', 'template', 'spec', 'volumes').some((one) =>
    str(one, 'persistentVolumeClaim', 'claimName'),
  );
  return mounted || arr(workload, 'spec', 'volumeClaimTemplates').length > 0;
}

import { type Verdict, ok, warn, fail } from './check.ts';
import { FactUnavailable, type FactRef, fact, type Facts } from './facts.ts';
import { claimNamesOf, objectsIn, workloadOf } from './objects.ts';
import { at, listAt, textAt } from '../../core/json.ts';
import { percent } from '../../core/text.ts';
import { formatBytes, parseQuantity } from '../../core/quantity.ts';
import type { ComponentId } from '../../profile/schema.ts';

export const CLAIM_READS: FactRef[] = [
  fact.objects('PersistentVolumeClaim'),
  fact.objects('PersistentVolume'),
  fact.pods(),
  fact.kubeletStats(),
];

/**
 * Whether a claim is bound, and how full. Kubelets report nothing for volumes that are folders of the node
 * (local-path): there the node's disk counts, and `own`, the size of the component's files.
 */
export function claimVerdict(facts: Facts, id: ComponentId, own?: () => number | undefined): Verdict {
  const { namespace, claim: planned } = facts.place(id);
  const name = planned?.name ?? '';
  const object = `PersistentVolumeClaim ${namespace}/${name}`;
  const claim = facts.find('PersistentVolumeClaim', name, namespace);
  if (!claim)
    return fail(`the claim ${name} does not exist`, {
      cause: 'it was deleted',
      fix: 'genai-obs install   # creates an empty one; restore data from a backup: genai-obs restore',
      object,
    });
  const phase = textAt(claim, 'status', 'phase') ?? 'Pending';
  const size =
    textAt(claim, 'status', 'capacity', 'storage') ?? textAt(claim, 'spec', 'resources', 'requests', 'storage') ?? '?';
  if (phase !== 'Bound')
    return fail(
      `the claim ${name} (class ${textAt(claim, 'spec', 'storageClassName') ?? 'none'}, ${size}) is ${phase}`,
      {
        cause: 'no volume was provisioned for it',
        fix: `${facts.kubectlFor(id)} describe pvc ${name}`,
        object,
      },
    );
  const usage = usageOf(facts, { namespace, name }, parseQuantity(size), own);
  const text = `claim ${name} is bound (${size}); ${usage.text}`;
  const grow =
    'shorten the retention in the profile and run: genai-obs install   # or, where the class can grow ' +
    `volumes: ${facts.kubectlFor(id)} edit pvc ${name}`;
  const more = {
    cause: usage.cause,
    fix: usage.ofNode ? `free disk on the node: ${facts.kubectl} describe node ${usage.ofNode}` : grow,
    object,
  };
  // A node's disk is shared: its limits are around 90 %, where kubelets evict pods.
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
  facts: Facts,
  { namespace, name: claim }: { namespace: string; name: string },
  size: number | undefined,
  own?: () => number | undefined,
): Usage {
  const stats = facts.kubeletStats();
  const volume = Object.values(stats)
    .flatMap(({ pods = [] }) => pods.flatMap((pod) => pod.volume ?? []))
    .find(({ pvcRef }) => pvcRef?.name === claim && pvcRef.namespace === namespace);
  if (volume?.capacityBytes && volume.usedBytes !== undefined) {
    const { capacityBytes: capacity, usedBytes: used } = volume;
    const text = `${percent(used / capacity)} of ${formatBytes(capacity)} used`;
    return { share: used / capacity, text, cause: 'the volume is filling up' };
  }
  const files = own?.();
  const ofFiles = files !== undefined && size ? files / size : 0;
  const takes = files === undefined ? '' : `its files take ${formatBytes(files)}`;
  if (ofFiles >= 0.7)
    return { share: ofFiles, text: `${takes}, ${percent(ofFiles)} of it`, cause: 'the volume is filling up' };
  const pod = objectsIn(facts, 'Pod', namespace).find((one) => claimNamesOf(one).includes(claim));
  const node = textAt(pod, 'spec', 'nodeName');
  const { capacityBytes: capacity, availableBytes: free } = (node && stats[node]?.node?.fs) || {};
  if (!node || !capacity || free === undefined) throw new FactUnavailable(`no kubelet reports how full ${claim} is`);
  return {
    share: 1 - free / capacity,
    text: `${takes && `${takes}; `}a folder of node ${node}, whose disk is ${percent(1 - free / capacity)} full`,
    cause: `the disk of node ${node} is filling up`,
    ofNode: node,
  };
}

/** Whether a component has a claim: mounted by name, or created by its StatefulSet. */
export function hasVolume(facts: Facts, id: ComponentId): boolean {
  const workload = workloadOf(facts, id);
  return (
    claimNamesOf(at(workload, 'spec', 'template')).length > 0 ||
    listAt(workload, 'spec', 'volumeClaimTemplates').length > 0
  );
}

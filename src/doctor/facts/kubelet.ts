import { messageOf } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import { namespacesOf } from '../../profile/schema.ts';
import type { Collector, FactContext } from './context.ts';

interface Volume {
  name: string;
  pvcRef?: { name: string; namespace: string };
}
interface PodStats {
  podRef: { name: string; namespace: string };
  containers?: unknown;
  volume?: Volume[];
}
interface Summary {
  node: Record<string, unknown>;
  pods?: PodStats[];
}

/** stats/summary of every kubelet; one that does not respond is `{error}`, so that the others still count. */
export const kubelet: Collector = async (what, context) => {
  if (what !== 'stats') throw new Error(`unknown fact kubelet:${what}`);
  const nodes = await context.objects('Node');
  const entries = await Promise.all(
    nodes.map(async ({ metadata: { name } }) => [name, await statsOf(name, context)] as const),
  );
  return Object.fromEntries(entries);
};

async function statsOf(node: string, { kube, config }: FactContext): Promise<unknown> {
  try {
    const { node: own, pods = [] } = await kube.json<Summary>(
      `/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary`,
      8_000,
    );
    const { fs, runtime, cpu, memory, startTime } = own;
    return {
      node: { nodeName: node, startTime, fs, runtime, cpu, memory },
      pods: pods.flatMap((pod) => podStats(pod, namespacesOf(config))),
    };
  } catch (error) {
    return { error: oneLine(messageOf(error), 200) };
  }
}

/** Containers of our pods, and volumes with a claim; a large node reports hundreds of others. */
function podStats(pod: PodStats, namespaces: string[]): unknown[] {
  const volume = (pod.volume ?? []).filter((item) => item.pvcRef);
  const ours = namespaces.includes(pod.podRef.namespace);
  if (!ours && volume.length === 0) return [];
  return [
    {
      podRef: { name: pod.podRef.name, namespace: pod.podRef.namespace },
      ...(ours ? { containers: pod.containers } : {}),
      volume,
    },
  ];
}

import { podLabelsOf } from '../../parts/catalog.ts';
import { claimsOf, largestPod, requestsOf } from '../../doctor/budget.ts';
import { bytes, cores, count, names, percent, quantity } from '../../doctor/quantity.ts';
import { isLive, isOurs, isReady, requested, specOf, statusOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, warn } from '../../doctor/types.ts';
import type { KubeObject } from '../../core/types.ts';
import { COMPONENT_IDS } from '../../profile/schema.ts';
import { listIn, namespaceIn } from '../helpers/place.ts';
import { selects } from '../helpers/pods.ts';
import { classOf, isLocal } from './storage.ts';

const base = { area: 'PRE', stage: 'preflight' } as const;
const GIB = 2 ** 30;

interface FsStats {
  node?: { fs?: { availableBytes?: number; usedBytes?: number } };
  error?: string;
}

/** Used and free bytes of a node's filesystem; reserved blocks count as neither. */
function nodeDisks(look: Look): { node: string; free: number; share: number; error?: string }[] {
  return Object.entries(look.fact<Record<string, FsStats>>('kubelet:stats')).map(([node, { node: stats, error }]) => {
    const { availableBytes: free, usedBytes: used = 0 } = stats?.fs ?? {};
    return free === undefined
      ? { node, free: 0, share: 0, error: error ?? 'no figures' }
      : { node, free, share: free / (free + used || 1) };
  });
}

/** Images of the stack take about 2 GiB, and kubelets evict at a tenth. */
function disk(look: Look): Verdict {
  const disks = nodeDisks(look);
  const dumb = disks.filter((one) => one.error);
  const tight = disks.filter((one) => !one.error).toSorted((a, b) => a.free - b.free);
  const least = tight[0];
  const more = {
    cause: 'images, logs or volumes fill the disk; kubelets evict pods when a tenth is left',
    fix: 'crictl rmi --prune on the node, or grow its disk',
  };
  if (least && (least.free < 3 * GIB || least.share < 0.1))
    return fail(`${bytes(least.free)} (${percent(least.share)}) free on ${least.node}`, {
      ...more,
      object: `Node ${least.node}`,
    });
  if (least && (least.free < 5 * GIB || least.share < 0.15))
    return warn(`${bytes(least.free)} (${percent(least.share)}) free on ${least.node}`, {
      ...more,
      object: `Node ${least.node}`,
    });
  const silent = dumb[0];
  if (silent)
    return warn(`the kubelet of ${names(dumb.map((one) => one.node))} does not tell: ${silent.error}`, {
      cause: 'the kubelet is not reachable from the API server, or nodes/proxy is not allowed',
      fix: `kubectl get --raw /api/v1/nodes/${silent.node}/proxy/stats/summary`,
      object: `Node ${silent.node}`,
    });
  return ok(
    `at least ${bytes(least?.free ?? 0)} (${percent(least?.share ?? 0)}) free on ${count(disks.length, 'node')}`,
  );
}

/** Nodes that take ordinary pods. */
function schedulable(look: Look): KubeObject[] {
  return look.list('Node').filter((node) => {
    const { unschedulable, taints = [] } = specOf<{ unschedulable: boolean; taints: { effect: string }[] }>(node);
    return isReady(node) && !unschedulable && !taints.some((taint) => taint.effect !== 'PreferNoSchedule');
  });
}

/** Pods of the stack, where they hold what they asked for: by our label, or by those of the charts that bring them. */
function ownPods(look: Look): (pod: KubeObject) => boolean {
  const foreign = COMPONENT_IDS.filter((id) => look.config[id].enabled && look.config[id].chart !== 'genai-obs').map(
    (id) => look.place(id),
  );
  return (pod) =>
    look.namespaces.includes(pod.metadata.namespace ?? '') &&
    (isOurs(pod) ||
      foreign.some((place) => place.namespace === pod.metadata.namespace && selects(podLabelsOf(place), pod)));
}

function capacity(look: Look): Verdict {
  const nodes = schedulable(look);
  const isOwn = ownPods(look);
  const own = look.listAll('Pod').filter((pod) => isOwn(pod) && isLive(pod));
  const need = requestsOf(look.config, nodes.length);
  // Pods that have their place need no room any more.
  const placed = own.filter((pod) => specOf<{ nodeName: string }>(pod).nodeName).length;
  if (placed >= need.pods && placed === own.length)
    return ok(`all ${count(placed, 'pod')} of the profile have their place on a node`);
  const others = look.listAll('Pod').filter((pod) => isLive(pod) && !isOwn(pod));
  const free = nodes.map((node) => {
    const { allocatable = {} } = statusOf<{ allocatable: { cpu?: string; memory?: string } }>(node);
    const used = others
      .filter((pod) => specOf<{ nodeName: string }>(pod).nodeName === node.metadata.name)
      .map(requested);
    const left = (key: 'cpu' | 'memory') =>
      Math.max(0, quantity(allocatable[key]) - used.reduce((sum, one) => sum + one[key], 0));
    return { cpu: left('cpu'), memory: left('memory') };
  });
  const sum = { cpu: free.reduce((a, b) => a + b.cpu, 0), memory: free.reduce((a, b) => a + b.memory, 0) };
  const evidence = `free for the stack: ${cores(sum.cpu)} and ${bytes(sum.memory)}; the profile requests ${cores(need.cpu)} and ${bytes(need.memory)} for ${count(need.pods, 'pod')}`;
  const more = {
    cause: 'other pods have reserved what the nodes have',
    fix: 'add a node, or leave components out: genai-obs install --disable COMPONENT, --gateway-replicas 1',
  };
  const big = largestPod(look.config);
  if (sum.cpu < need.cpu || sum.memory < need.memory) return fail(evidence, more);
  if (!free.some((one) => one.cpu >= big.cpu && one.memory >= big.memory))
    return fail(`${evidence}; the largest pod (${cores(big.cpu)}, ${bytes(big.memory)}) fits on no node`, more);
  const quota = overQuota(look, (namespace) => {
    const { cpu, memory, pods } = requestsOf(look.config, nodes.length, namespace);
    return { 'requests.cpu': cpu, cpu, 'requests.memory': memory, memory, pods };
  });
  if (quota) return quota;
  return sum.cpu < need.cpu * 1.1 || sum.memory < need.memory * 1.1
    ? warn(`${evidence}: less than a tenth to spare`, more)
    : ok(evidence);
}

/** What the quotas leave in the namespace of each, without what our own objects use there already. */
function overQuota(look: Look, needIn: (namespace: string) => Record<string, number>): Verdict | undefined {
  for (const quota of look.list('ResourceQuota')) {
    const { hard = {}, used = {} } = statusOf<{ hard: Record<string, string>; used: Record<string, string> }>(quota);
    const namespace = namespaceIn(look, quota);
    const own = ownUse(look, namespace);
    for (const [key, wanted] of Object.entries(needIn(namespace))) {
      if (hard[key] === undefined) continue;
      const left = quantity(hard[key]) - Math.max(0, quantity(used[key]) - (own[key] ?? 0));
      if (left >= wanted) continue;
      const show = /memory|storage/.test(key) ? bytes : (n: number) => String(Math.round(n * 1000) / 1000);
      return fail(
        `quota ${quota.metadata.name} leaves ${show(Math.max(0, left))} of ${key}, the profile needs ${show(wanted)}`,
        {
          object: `ResourceQuota ${namespace}/${quota.metadata.name}`,
          cause: 'the ResourceQuota of the namespace is too small for the profile: pods or claims would be refused',
          fix: `${look.kubectlIn(namespace)} edit resourcequota ${quota.metadata.name}`,
        },
      );
    }
  }
  return undefined;
}

function ownUse(look: Look, namespace: string): Record<string, number> {
  const isOwn = ownPods(look);
  const pods = look.listAll('Pod').filter((pod) => pod.metadata.namespace === namespace && isOwn(pod) && isLive(pod));
  const sums = pods.map(requested);
  const [cpu, memory] = [sums.reduce((a, b) => a + b.cpu, 0), sums.reduce((a, b) => a + b.memory, 0)];
  const claims = listIn(look, 'PersistentVolumeClaim', namespace).filter((claim) =>
    claimsOf(look.config).some((want) => want.namespace === namespace && want.name === claim.metadata.name),
  );
  const storage = claims.reduce(
    (sum, claim) =>
      sum + quantity(specOf<{ resources: { requests?: { storage?: string } } }>(claim).resources?.requests?.storage),
    0,
  );
  return {
    cpu,
    'requests.cpu': cpu,
    memory,
    'requests.memory': memory,
    pods: pods.length,
    'requests.storage': storage,
    persistentvolumeclaims: claims.length,
  };
}

/** Claims that still have to be bound need room; local classes reserve none, so there the disk is what counts. */
function storage(look: Look): Verdict {
  const claims = claimsOf(look.config);
  const total = claims.reduce((sum, claim) => sum + claim.bytes, 0);
  const quota = overQuota(look, (namespace) => {
    const here = claims.filter((claim) => claim.namespace === namespace);
    return {
      'requests.storage': here.reduce((sum, claim) => sum + claim.bytes, 0),
      persistentvolumeclaims: here.length,
    };
  });
  if (quota) return quota;
  const isBound = ({ name, namespace }: { name: string; namespace: string }) => {
    const claim = look.find('PersistentVolumeClaim', name, namespace);
    return claim !== undefined && statusOf<{ phase: string }>(claim).phase === 'Bound';
  };
  const open = claims.filter((claim) => !isBound(claim)).reduce((sum, claim) => sum + claim.bytes, 0);
  if (open === 0) return ok(`${count(claims.length, 'claim')} of ${bytes(total)} bound`);
  const found = classOf(look);
  if (!found || !isLocal(found))
    return ok(
      `${bytes(open)} to be claimed from class ${found?.metadata.name ?? '(none)'}; its capacity cannot be seen from here`,
    );
  const room = nodeDisks(look).reduce((sum, one) => sum + one.free, 0);
  const evidence = `${bytes(open)} to be claimed, ${bytes(room)} free on the nodes (class ${found.metadata.name} keeps data there)`;
  const more = {
    cause:
      'the nodes’ disks are smaller than the claims together; the class reserves nothing, so this shows only when they fill',
    fix: 'use smaller sizes and a shorter retention (genai-obs install --retention 7d), or grow the disk',
  };
  if (room < open / 4) return fail(evidence, more);
  return room < open ? warn(evidence, more) : ok(evidence);
}

export const resourceChecks: Check[] = [
  {
    ...base,
    id: 'PRE-09',
    title: 'Nodes have free disk',
    about:
      'The images of the stack take about 2 GiB on a node, and kubelets evict pods when a tenth of the disk is left. Failed: under 3 GiB or 10 %. Warning: under 5 GiB or 15 %, or when a kubelet does not tell. Read from kubelet statistics.',
    sources: '004-PRE-03',
    reads: () => ['kubelet:stats'],
    dependsOn: ['PRE-07'],
    run: disk,
  },
  {
    ...base,
    id: 'PRE-10',
    title: 'CPU and memory suffice for the profile',
    about:
      'Allocatable CPU and memory of schedulable nodes, less what other pods request, against the requests of the profile; also against ResourceQuotas of the namespace, and the largest pod against single nodes. Warning: less than a tenth to spare.',
    sources: '003-PRE-04',
    reads: () => ['k8s:Node', 'k8s:Pod@all', 'k8s:ResourceQuota', 'k8s:PersistentVolumeClaim'],
    dependsOn: ['PRE-07', 'PRE-08'],
    run: capacity,
  },
  {
    ...base,
    id: 'PRE-11',
    title: 'Storage suffices for the claims',
    about:
      'Claims of the profile that are not bound yet, against quotas of the namespace and, with a class that keeps data on the nodes (local-path, hostpath), against their free disk. Such a class reserves nothing: less than the sum is a warning, less than a quarter a failure. Capacity of network storage cannot be seen.',
    sources: '003-PRE-05',
    reads: () => ['k8s:PersistentVolumeClaim', 'k8s:ResourceQuota', 'k8s:StorageClass', 'kubelet:stats', 'k8s:Pod@all'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: the stack claims no storage'),
    run: storage,
  },
];

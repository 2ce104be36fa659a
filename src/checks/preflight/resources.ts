import { textAt, listAt, at } from '../../core/json.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { phaseOf, requestsOf, objectsIn, isOurs, isReady, isLive, selects } from '../lib/objects.ts';
import { plural, list, percent } from '../../core/text.ts';
import { formatBytes, quantity, formatCores } from '../../core/quantity.ts';
import { podLabelsOf } from '../../parts/catalog.ts';
import { claimsOf, largestPod, requestsOfProfile } from '../lib/budget.ts';
import type { KubeObject } from '../../core/types.ts';
import { COMPONENT_IDS } from '../../profile/schema.ts';
import { namespaceIn } from '../lib/place.ts';
import { classOf, isLocal } from './storage.ts';

const pre = checksOf('PRE', 'preflight');
const GIB = 2 ** 30;

/** Used and free bytes of a node's filesystem; reserved blocks count as neither. */
function nodeDisks(facts: Facts): { node: string; free: number; share: number; error?: string }[] {
  return Object.entries(facts.kubeletStats()).map(([node, { node: stats, error }]) => {
    const { availableBytes: free, usedBytes: used = 0 } = stats?.fs ?? {};
    return free === undefined
      ? { node, free: 0, share: 0, error: error ?? 'no figures' }
      : { node, free, share: free / (free + used || 1) };
  });
}

/** Images of the stack take about 2 GiB, and kubelets evict pods when a tenth is left. */
function disk(facts: Facts): Verdict {
  const disks = nodeDisks(facts);
  const dumb = disks.filter((one) => one.error);
  const tight = disks.filter((one) => !one.error).toSorted((a, b) => a.free - b.free);
  const least = tight[0];
  const more = {
    cause: 'images, logs or volumes fill the disk; kubelets evict pods when a tenth is left',
    fix: 'crictl rmi --prune on the node, or grow its disk',
  };
  if (least && (least.free < 3 * GIB || least.share < 0.1))
    return fail(`${formatBytes(least.free)} (${percent(least.share)}) free on ${least.node}`, {
      ...more,
      object: `Node ${least.node}`,
    });
  if (least && (least.free < 5 * GIB || least.share < 0.15))
    return warn(`${formatBytes(least.free)} (${percent(least.share)}) free on ${least.node}`, {
      ...more,
      object: `Node ${least.node}`,
    });
  const silent = dumb[0];
  if (silent)
    return warn(`the kubelet of ${list(dumb.map((one) => one.node))} does not report its disk: ${silent.error}`, {
      cause: 'the kubelet is not reachable from the API server, or nodes/proxy is not allowed',
      fix: `kubectl get --raw /api/v1/nodes/${silent.node}/proxy/stats/summary`,
      object: `Node ${silent.node}`,
    });
  return ok(
    `at least ${formatBytes(least?.free ?? 0)} (${percent(least?.share ?? 0)}) free on ${plural(disks.length, 'node')}`,
  );
}

/** Nodes that accept ordinary pods. */
function schedulable(facts: Facts): KubeObject[] {
  return facts.nodes().filter((node) => {
    const blocked = listAt(node, 'spec', 'taints').some((taint) => textAt(taint, 'effect') !== 'PreferNoSchedule');
    return isReady(node) && at(node, 'spec', 'unschedulable') !== true && !blocked;
  });
}

/** Whether a pod belongs to the stack: by our label, or by those of the upstream charts. */
function ownPods(facts: Facts): (pod: KubeObject) => boolean {
  const foreign = COMPONENT_IDS.filter((id) => facts.config[id].enabled && facts.config[id].chart !== 'genai-obs').map(
    (id) => facts.place(id),
  );
  return (pod) =>
    facts.namespaces.includes(pod.metadata.namespace ?? '') &&
    (isOurs(pod) ||
      foreign.some((place) => place.namespace === pod.metadata.namespace && selects(podLabelsOf(place), pod)));
}

function capacity(facts: Facts): Verdict {
  const nodes = schedulable(facts);
  const isOwn = ownPods(facts);
  const own = facts.pods('all').filter((pod) => isOwn(pod) && isLive(pod));
  const need = requestsOfProfile(facts.config, nodes.length);
  // Scheduled pods hold their requests already.
  const placed = own.filter((pod) => textAt(pod, 'spec', 'nodeName')).length;
  if (placed >= need.pods && placed === own.length)
    return ok(`all ${plural(placed, 'pod')} of the profile are scheduled`);
  const others = facts.pods('all').filter((pod) => isLive(pod) && !isOwn(pod));
  const free = nodes.map((node) => {
    const used = others.filter((pod) => textAt(pod, 'spec', 'nodeName') === node.metadata.name).map(requestsOf);
    const left = (key: 'cpu' | 'memory') =>
      Math.max(0, quantity(textAt(node, 'status', 'allocatable', key)) - used.reduce((sum, one) => sum + one[key], 0));
    return { cpu: left('cpu'), memory: left('memory') };
  });
  const sum = { cpu: free.reduce((a, b) => a + b.cpu, 0), memory: free.reduce((a, b) => a + b.memory, 0) };
  const evidence =
    `free for the stack: ${formatCores(sum.cpu)} and ${formatBytes(sum.memory)}; the profile requests ` +
    `${formatCores(need.cpu)} and ${formatBytes(need.memory)} for ${plural(need.pods, 'pod')}`;
  const more = {
    cause: 'other pods have reserved what the nodes have',
    fix: 'add a node, or leave components out: genai-obs install --disable COMPONENT, --gateway-replicas 1',
  };
  const big = largestPod(facts.config);
  if (sum.cpu < need.cpu || sum.memory < need.memory) return fail(evidence, more);
  if (!free.some((one) => one.cpu >= big.cpu && one.memory >= big.memory))
    return fail(
      `${evidence}; the largest pod (${formatCores(big.cpu)}, ${formatBytes(big.memory)}) fits on no node`,
      more,
    );
  const quota = overQuota(facts, (namespace) => {
    const { cpu, memory, pods } = requestsOfProfile(facts.config, nodes.length, namespace);
    return { 'requests.cpu': cpu, cpu, 'requests.memory': memory, memory, pods };
  });
  if (quota) return quota;
  return sum.cpu < need.cpu * 1.1 || sum.memory < need.memory * 1.1
    ? warn(`${evidence}: less than a tenth to spare`, more)
    : ok(evidence);
}

/** The first quota that is too small; what our own objects use counts as free. */
function overQuota(facts: Facts, needIn: (namespace: string) => Record<string, number>): Verdict | undefined {
  for (const quota of facts.objects('ResourceQuota')) {
    const namespace = namespaceIn(facts, quota);
    const own = ownUse(facts, namespace);
    for (const [key, wanted] of Object.entries(needIn(namespace))) {
      const [hard, used] = [textAt(quota, 'status', 'hard', key), textAt(quota, 'status', 'used', key)];
      if (hard === undefined) continue;
      const left = quantity(hard) - Math.max(0, quantity(used) - (own[key] ?? 0));
      if (left >= wanted) continue;
      const show = /memory|storage/.test(key) ? formatBytes : (n: number) => String(Math.round(n * 1000) / 1000);
      return fail(
        `quota ${quota.metadata.name} leaves ${show(Math.max(0, left))} of ${key}, the profile needs ${show(wanted)}`,
        {
          object: `ResourceQuota ${namespace}/${quota.metadata.name}`,
          cause: 'the ResourceQuota of the namespace is too small for the profile: pods or claims would be refused',
          fix: `${facts.kubectlIn(namespace)} edit resourcequota ${quota.metadata.name}`,
        },
      );
    }
  }
  return undefined;
}

function ownUse(facts: Facts, namespace: string): Record<string, number> {
  const isOwn = ownPods(facts);
  const pods = facts.pods('all').filter((pod) => pod.metadata.namespace === namespace && isOwn(pod) && isLive(pod));
  const sums = pods.map(requestsOf);
  const [cpu, memory] = [sums.reduce((a, b) => a + b.cpu, 0), sums.reduce((a, b) => a + b.memory, 0)];
  const claims = objectsIn(facts, 'PersistentVolumeClaim', namespace).filter((claim) =>
    claimsOf(facts.config).some((want) => want.namespace === namespace && want.name === claim.metadata.name),
  );
  const storage = claims.reduce(
    (sum, claim) => sum + quantity(textAt(claim, 'spec', 'resources', 'requests', 'storage')),
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

/** Unbound claims need space; local classes reserve none, so their nodes' disks count. */
function storage(facts: Facts): Verdict {
  const claims = claimsOf(facts.config);
  const total = claims.reduce((sum, claim) => sum + claim.bytes, 0);
  const quota = overQuota(facts, (namespace) => {
    const here = claims.filter((claim) => claim.namespace === namespace);
    return {
      'requests.storage': here.reduce((sum, claim) => sum + claim.bytes, 0),
      persistentvolumeclaims: here.length,
    };
  });
  if (quota) return quota;
  const isBound = ({ name, namespace }: { name: string; namespace: string }) => {
    const claim = facts.find('PersistentVolumeClaim', name, namespace);
    return claim !== undefined && phaseOf(claim) === 'Bound';
  };
  const open = claims.filter((claim) => !isBound(claim)).reduce((sum, claim) => sum + claim.bytes, 0);
  if (open === 0) return ok(`${plural(claims.length, 'claim')} of ${formatBytes(total)} bound`);
  const found = classOf(facts);
  if (!found || !isLocal(found))
    return ok(
      `${formatBytes(open)} to be claimed from class ${found?.metadata.name ?? '(none)'}; its capacity ` +
        'cannot be read from here',
    );
  const room = nodeDisks(facts).reduce((sum, one) => sum + one.free, 0);
  const evidence =
    `${formatBytes(open)} to be claimed, ${formatBytes(room)} free on the nodes (class ` +
    `${found.metadata.name} keeps data there)`;
  const more = {
    cause:
      'the nodes’ disks are smaller than the claims together; the class reserves nothing, so this ' +
      'shows only when they fill',
    fix: 'use smaller sizes and a shorter retention (genai-obs install --retention 7d), or grow the disk',
  };
  if (room < open / 4) return fail(evidence, more);
  return room < open ? warn(evidence, more) : ok(evidence);
}

export const resourceChecks: Check[] = [
  pre('09', 'Nodes have disk space', {
    about:
      'Reads free disk space from kubelet statistics. The images of the stack take about 2 GiB on a ' +
      'node, and kubelets evict pods when a tenth of the disk is left. Failed: under 3 GiB or 10 %. ' +
      'Warning: under 5 GiB or 15 %, or a kubelet without figures. Prune images or grow the disk.',
    sources: '004-PRE-03',
    reads: [fact.kubeletStats()],
    dependsOn: ['PRE-07'],
    run: disk,
  }),
  pre('10', 'CPU and memory suffice for the profile', {
    about:
      'Compares the requests of the profile with the allocatable CPU and memory of schedulable nodes, ' +
      'less what other pods request; the largest pod with single nodes; and the total with ' +
      'ResourceQuotas. Warning: less than a tenth to spare. Failed: not enough. Add a node or disable ' +
      'components.',
    sources: '003-PRE-04',
    reads: [fact.nodes(), fact.pods('all'), fact.objects('ResourceQuota'), fact.objects('PersistentVolumeClaim')],
    dependsOn: ['PRE-07', 'PRE-08'],
    run: capacity,
  }),
  pre('11', 'Storage suffices for the claims', {
    about:
      'Compares claims that are not bound yet with quotas, and with free disk on the nodes for classes ' +
      'that keep data there (local-path, hostpath). Such a class reserves nothing: less than the sum is ' +
      'a warning, less than a quarter a failure. The capacity of network storage cannot be read from ' +
      'here.',
    sources: '003-PRE-05',
    reads: [
      fact.objects('PersistentVolumeClaim'),
      fact.objects('ResourceQuota'),
      fact.objects('StorageClass'),
      fact.kubeletStats(),
      fact.pods('all'),
    ],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: the stack claims no storage'),
    run: storage,
  }),
];

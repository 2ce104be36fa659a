import { age, count, names } from '../../doctor/quantity.ts';
import { conditions, isReady, phaseOf, specOf, statusOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, skip, warn } from '../../doctor/types.ts';
import { parts } from './tools.ts';

const base = { area: 'PRE', stage: 'preflight' } as const;

function answers(look: Look): Verdict {
  const {
    status,
    server = '',
    context = '',
    error = '',
  } = look.fact<{ status: number; server?: string; context?: string; error?: string }>('cluster:ready');
  if (status === 200) return ok(`${server} answers with 200 on /readyz`);
  const object = `context ${context}`;
  if (status === 0)
    return fail(`${server} does not answer: ${error}`, {
      object,
      cause: 'the API server is down, or network, VPN or proxy stand between',
      fix: `kubectl --context ${context} get --raw /readyz`,
    });
  if (status === 401 || status === 403)
    return fail(`${server} answers with ${status}`, {
      object,
      cause: 'the credentials of the context are expired or not accepted',
      fix: 'log in again with the CLI of your cluster provider, then: kubectl auth whoami',
    });
  return fail(`/readyz answers with ${status}: ${error}`, {
    object,
    cause: 'the API server is starting, stopping or has lost its storage',
    fix: `kubectl --context ${context} get --raw '/readyz?verbose'`,
  });
}

function version(look: Look): Verdict {
  const { gitVersion } = look.fact<{ gitVersion: string }>('cluster:version');
  const [major, minor] = parts(gitVersion) ?? [0, 0];
  const more = {
    cause: 'the cluster is older than what the charts are tested with',
    fix: 'upgrade the cluster to Kubernetes 1.25 or newer',
  };
  if (major > 1 || minor >= 25) return ok(`Kubernetes ${gitVersion}`);
  return minor === 24
    ? warn(`Kubernetes ${gitVersion}, tested is 1.25 and newer`, more)
    : fail(`Kubernetes ${gitVersion}, needed is 1.25 or newer`, more);
}

function ready(look: Look): Verdict {
  const nodes = look.list('Node');
  const down = nodes.filter((node) => !isReady(node));
  if (nodes.length === 0)
    return fail('the cluster has no nodes', { cause: 'no kubelet has registered', fix: 'kubectl get nodes' });
  const first = down[0];
  if (!first) return ok(`${count(nodes.length, 'node')}, all Ready`);
  const reason = conditions(first).find((one) => one.type === 'Ready');
  return fail(
    `${down.length} of ${count(nodes.length, 'node')} not Ready: ${names(down.map((node) => node.metadata.name))}; ${reason?.message ?? reason?.reason ?? 'no reason given'}`,
    {
      object: `Node ${first.metadata.name}`,
      cause: 'the kubelet or the container runtime of the node has stopped, or the node is cut off',
      fix: `kubectl describe node ${first.metadata.name}`,
    },
  );
}

const PRESSURES = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable'];

function pressure(look: Look): Verdict {
  const nodes = look.list('Node');
  const pressed = nodes.flatMap((node) =>
    conditions(node)
      .filter((one) => PRESSURES.includes(one.type) && one.status === 'True')
      .map((one) => ({ node: node.metadata.name, type: one.type })),
  );
  const first = pressed[0];
  if (!first) return ok(`no pressure on ${count(nodes.length, 'node')}`);
  const evidence = names(pressed.map((one) => `${one.type} on ${one.node}`));
  const more = {
    object: `Node ${first.node}`,
    cause: 'the node evicts pods and takes no new ones',
    fix: `kubectl describe node ${first.node}; free memory or disk there, or kubectl cordon ${first.node}`,
  };
  const affected = new Set(pressed.map((one) => one.node)).size;
  return affected > 1 || affected === nodes.length ? fail(evidence, more) : warn(evidence, more);
}

interface Clock {
  skewMs: Record<string, number>;
  withinMs: Record<string, number>;
  how: Record<string, string>;
}

/** The spread between the clocks of the cluster; this machine's own error cancels out. */
function clocks(look: Look): Verdict {
  const { skewMs, withinMs, how } = look.fact<Clock>('time:clock');
  const clock = Object.entries(skewMs).map(([name, skew]) => ({ name, skew, within: withinMs[name] ?? 0 }));
  if (clock.length === 0) return skip('no clock of the cluster can be read: neither Date headers nor leases of nodes');
  const sorted = clock.toSorted((a, b) => a.skew - b.skew);
  const [low, high] = [sorted[0], sorted.at(-1)];
  if (!low || !high) return skip('no clock of the cluster can be read');
  const exact = Math.max(low.within, high.within);
  // Only what is proven counts: a spread within the measurement's error is none.
  const spread = Math.max(0, high.skew - low.skew - (low.within + high.within));
  const ways = [...new Set(Object.values(how))].join(' and ');
  const evidence = `${count(clock.length, 'clock')} (nodes and API server) within ${((high.skew - low.skew) / 1000).toFixed(1)} s, measured to ${(exact / 1000).toFixed(1)} s by ${ways}`;
  if (spread <= 500) return ok(evidence);
  const more = {
    object: `Node ${high.name}`,
    cause: `the clock of ${high.name} is ahead of ${low.name}`,
    fix: 'enable chrony or another NTP client on every node',
  };
  return spread <= 5_000 ? warn(evidence, more) : fail(evidence, more);
}

function namespace(look: Look): Verdict {
  const all = look.list('Namespace').filter((one) => look.namespaces.includes(one.metadata.name));
  const found = all.find((one) => phaseOf(one) === 'Terminating' || one.metadata.deletionTimestamp);
  if (!found) {
    const there = all.map((one) => one.metadata.name);
    const absent = look.namespaces.filter((name) => !there.includes(name));
    const text = [
      ...there.map((name) => `namespace ${name} is Active`),
      ...absent.map((name) => `namespace ${name} does not exist yet: install creates it`),
    ];
    return ok(text.join('; '));
  }
  const { name } = found.metadata;
  const stuck = conditions(found).find(
    (one) => one.status === 'True' && one.type !== 'NamespaceDeletionDiscoveryFailure',
  );
  const since = age(
    Date.parse(look.fact<{ iso: string }>('time:now').iso) - Date.parse(found.metadata.deletionTimestamp ?? ''),
  );
  return fail(
    `namespace ${name} is Terminating since ${since}${stuck?.message ? `: ${stuck.message.slice(0, 160)}` : ''}`,
    {
      object: `Namespace ${name}`,
      cause: 'the namespace is being deleted; nothing can be created in it, and finalizers may hold it',
      fix: `wait until it is gone (kubectl get namespace ${name} -w), or find what holds it: kubectl get namespace ${name} -o jsonpath='{.status.conditions}'`,
    },
  );
}

/** Passive: sending packets from every node would need pods of our own. */
function mesh(look: Look): Verdict {
  const nodes = look.list('Node');
  if (nodes.length < 2) return skip('one node: there is no pair of nodes to connect');
  const system = look.listAll('DaemonSet').filter((set) => set.metadata.namespace === 'kube-system');
  const short = system.filter((set) => {
    const { desiredNumberScheduled = 0, numberReady = 0 } = statusOf<{
      desiredNumberScheduled: number;
      numberReady: number;
    }>(set);
    const { template } = specOf<{ template: { spec?: { hostNetwork?: boolean } } }>(set);
    return template?.spec?.hostNetwork === true && numberReady < desiredNumberScheduled;
  });
  const first = short[0];
  if (!first)
    return ok(
      `network DaemonSets of kube-system are ready on ${count(nodes.length, 'node')}; no packets were sent, the probe crosses nodes`,
    );
  return fail(`${names(short.map((set) => set.metadata.name))} is not ready on every node`, {
    object: `DaemonSet kube-system/${first.metadata.name}`,
    cause: 'pods on a node without its network agent cannot reach those on others',
    fix: `kubectl -n kube-system describe daemonset ${first.metadata.name}`,
  });
}

export const clusterChecks: Check[] = [
  {
    ...base,
    id: 'PRE-05',
    title: 'The API server answers',
    about:
      'Without the API server nothing else can be looked at. Failed: no answer, 401 or 403. Check kubeconfig, context, VPN and proxy.',
    sources: '001-QS-06, 004-PRE-04',
    reads: () => ['cluster:ready'],
    run: answers,
  },
  {
    ...base,
    id: 'PRE-06',
    title: 'The Kubernetes version is supported',
    about: 'Ok: 1.25 or newer. Warning: 1.24. Failed: older.',
    sources: '000-PRE-01, 003-PRE-03',
    reads: () => ['cluster:version'],
    run: version,
  },
  {
    ...base,
    id: 'PRE-07',
    title: 'All nodes are Ready',
    about:
      'A node that is not Ready runs no pods, and its node collector sends nothing. Describe the node and restart its kubelet.',
    sources: '004-PRE-01, 004-PRE-08',
    reads: () => ['k8s:Node'],
    run: ready,
  },
  {
    ...base,
    id: 'PRE-08',
    title: 'No node is under pressure',
    about:
      'MemoryPressure, DiskPressure, PIDPressure, NetworkUnavailable. One node of several: a warning. More, or the only one: failed, because nothing can be scheduled.',
    sources: '004-PRE-08',
    reads: () => ['k8s:Node'],
    run: pressure,
  },
  {
    ...base,
    id: 'PRE-15',
    title: 'Nodes reach each other',
    about:
      'Pods on different nodes must talk. The doctor sends no packets of its own, because that would need pods; it looks at the network agents (DaemonSets of kube-system in the host network). The end-to-end probe crosses nodes.',
    sources: '004-PRE-10',
    reads: () => ['k8s:Node', 'k8s:DaemonSet@all'],
    run: mesh,
  },
  {
    ...base,
    id: 'PRE-17',
    title: 'Clocks agree',
    about:
      'Traces and logs of nodes whose clocks differ cannot be put in order, and Prometheus and Loki reject samples from the future. Measured by the Date header that API server and kubelets write, exact to half a second, else by the nodes’ leases, exact to 12 s. Ok: 0.5 s. Warning: up to 5 s. Failed: more.',
    sources: '004-PRE-12',
    reads: () => ['time:clock'],
    run: clocks,
  },
  {
    ...base,
    id: 'PRE-26',
    title: 'The namespaces are not being deleted',
    about:
      'In a namespace that is Terminating nothing can be created. Wait, or clear the finalizers that hold it. A namespace that does not exist yet is fine.',
    sources: '004-P1-01',
    reads: () => ['k8s:Namespace', 'time:now'],
    run: namespace,
  },
];

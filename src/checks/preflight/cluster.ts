import { coerce, gte } from 'semver';
import { formatDuration } from '../../core/quantity.ts';
import { textAt, numberAt, listAt, at } from '../../core/json.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { condition, phaseOf, isReady } from '../lib/objects.ts';
import { oneLine, plural, list } from '../../core/text.ts';

const pre = checksOf('PRE', 'preflight');

function answers(facts: Facts): Verdict {
  const { status, server = '', context = '', error = '' } = facts.apiServer();
  if (status === 200) return ok(`${server} answers with 200 on /readyz`);
  const object = `context ${context}`;
  if (status === 0)
    return fail(`${server} does not answer: ${error}`, {
      object,
      cause: 'the API server is down, or network, VPN or proxy block the way',
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

function version(facts: Facts): Verdict {
  const { gitVersion } = facts.version();
  const parsed = coerce(gitVersion) ?? '0.0.0';
  const more = {
    cause: 'the cluster is older than the versions that the charts are tested with',
    fix: 'upgrade the cluster to Kubernetes 1.25 or newer',
  };
  if (gte(parsed, '1.25.0')) return ok(`Kubernetes ${gitVersion}`);
  return gte(parsed, '1.24.0')
    ? warn(`Kubernetes ${gitVersion}, 1.25 and newer are tested`, more)
    : fail(`Kubernetes ${gitVersion}, 1.25 or newer is required`, more);
}

function ready(facts: Facts): Verdict {
  const nodes = facts.nodes();
  const down = nodes.filter((node) => !isReady(node));
  if (nodes.length === 0)
    return fail('the cluster has no nodes', { cause: 'no kubelet has registered', fix: 'kubectl get nodes' });
  const first = down[0];
  if (!first) return ok(`${plural(nodes.length, 'node')}, all Ready`);
  const reason = condition(first, 'Ready');
  return fail(
    `${down.length} of ${plural(nodes.length, 'node')} not Ready: ` +
      `${list(down.map((node) => node.metadata.name))}; ` +
      (textAt(reason, 'message') ?? textAt(reason, 'reason') ?? 'no reason given'),
    {
      object: `Node ${first.metadata.name}`,
      cause: 'the kubelet or the container runtime of the node has stopped, or the node is cut off',
      fix: `kubectl describe node ${first.metadata.name}`,
    },
  );
}

const PRESSURES = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable'];

function pressure(facts: Facts): Verdict {
  const nodes = facts.nodes();
  const pressed = nodes.flatMap((node) =>
    PRESSURES.filter((type) => condition(node, type)?.['status'] === 'True').map((type) => ({
      node: node.metadata.name,
      type,
    })),
  );
  const first = pressed[0];
  if (!first) return ok(`no pressure on ${plural(nodes.length, 'node')}`);
  const evidence = list(pressed.map((one) => `${one.type} on ${one.node}`));
  const more = {
    object: `Node ${first.node}`,
    cause: 'the node evicts pods and accepts no new ones',
    fix: `kubectl describe node ${first.node}; free memory or disk there, or kubectl cordon ${first.node}`,
  };
  const affected = new Set(pressed.map((one) => one.node)).size;
  return affected > 1 || affected === nodes.length ? fail(evidence, more) : warn(evidence, more);
}

/** The spread between the clocks of the cluster; the error of this machine's clock cancels out. */
function clocks(facts: Facts): Verdict {
  const { skewMs, withinMs, how } = facts.clocks();
  const clock = Object.entries(skewMs).map(([name, skew]) => ({ name, skew, within: withinMs[name] ?? 0 }));
  if (clock.length === 0) return skip('no clock of the cluster can be read: neither Date headers nor leases of nodes');
  const sorted = clock.toSorted((a, b) => a.skew - b.skew);
  const [low, high] = [sorted[0], sorted.at(-1)];
  if (!low || !high) return skip('no clock of the cluster can be read');
  const exact = Math.max(low.within, high.within);
  // A spread within the measurement error counts as none.
  const spread = Math.max(0, high.skew - low.skew - (low.within + high.within));
  const ways = [...new Set(Object.values(how))].join(' and ');
  const evidence =
    `${plural(clock.length, 'clock')} (nodes and API server) within ` +
    `${((high.skew - low.skew) / 1000).toFixed(1)} s, measured to ${(exact / 1000).toFixed(1)} s by ` +
    ways;
  if (spread <= 500) return ok(evidence);
  const more = {
    object: `Node ${high.name}`,
    cause: `the clock of ${high.name} is ahead of ${low.name}`,
    fix: 'enable chrony or another NTP client on every node',
  };
  return spread <= 5_000 ? warn(evidence, more) : fail(evidence, more);
}

function namespace(facts: Facts): Verdict {
  const all = facts.objects('Namespace').filter((one) => facts.namespaces.includes(one.metadata.name));
  const found = all.find((one) => phaseOf(one) === 'Terminating' || one.metadata.deletionTimestamp);
  if (!found) {
    const there = all.map((one) => one.metadata.name);
    const absent = facts.namespaces.filter((name) => !there.includes(name));
    const text = [
      ...there.map((name) => `namespace ${name} is Active`),
      ...absent.map((name) => `namespace ${name} does not exist yet: install creates it`),
    ];
    return ok(text.join('; '));
  }
  const { name } = found.metadata;
  const stuck = listAt(found, 'status', 'conditions').find(
    (one) => at(one, 'status') === 'True' && at(one, 'type') !== 'NamespaceDeletionDiscoveryFailure',
  );
  const why = textAt(stuck, 'message');
  const since = formatDuration((facts.now() - Date.parse(found.metadata.deletionTimestamp ?? '')) / 1000);
  return fail(`namespace ${name} is Terminating since ${since}${why ? `: ${oneLine(why, 160)}` : ''}`, {
    object: `Namespace ${name}`,
    cause: 'the namespace is being deleted: nothing can be created in it, and finalizers may block the deletion',
    fix:
      `wait until it is deleted (kubectl get namespace ${name} -w), or find what blocks it: kubectl get ` +
      `namespace ${name} -o jsonpath='{.status.conditions}'`,
  });
}

/** Sends nothing: packets from every node would need pods of our own. */
function mesh(facts: Facts): Verdict {
  const nodes = facts.nodes();
  if (nodes.length < 2) return skip('one node: there are no other nodes to reach');
  const system = facts.objects('DaemonSet', 'all').filter((set) => set.metadata.namespace === 'kube-system');
  const short = system.filter((set) => {
    const [wanted, ready] = ['desiredNumberScheduled', 'numberReady'].map((key) => numberAt(set, 'status', key) ?? 0);
    const hostNetwork = at(set, 'spec', 'template', 'spec', 'hostNetwork') === true;
    return hostNetwork && (ready ?? 0) < (wanted ?? 0);
  });
  const first = short[0];
  if (!first)
    return ok(
      `network DaemonSets of kube-system are ready on ${plural(nodes.length, 'node')}; no packets were ` +
        'sent, the probe crosses nodes',
    );
  return fail(`${list(short.map((set) => set.metadata.name))} is not ready on every node`, {
    object: `DaemonSet kube-system/${first.metadata.name}`,
    cause: 'pods on a node without a network agent cannot reach pods on other nodes',
    fix: `kubectl -n kube-system describe daemonset ${first.metadata.name}`,
  });
}

export const clusterChecks: Check[] = [
  pre('05', 'The API server answers', {
    about:
      'Requests /readyz with the current context; without the API server nothing else can be checked. ' +
      'Failed: no answer, 401, 403 or another status. Check kubeconfig, context, VPN and proxy.',
    sources: '001-QS-06, 004-PRE-04',
    reads: [fact.apiServer()],
    run: answers,
  }),
  pre('06', 'The Kubernetes version is supported', {
    about: 'Reads the version of the API server. Ok: 1.25 or newer. Warning: 1.24. Failed: older; upgrade the cluster.',
    sources: '000-PRE-01, 003-PRE-03',
    reads: [fact.version()],
    run: version,
  }),
  pre('07', 'All nodes are Ready', {
    about:
      'Reads the Ready condition of every node. Failed: at least one node is not Ready; it runs no pods ' +
      'and its node collector sends nothing. Describe the node and check its kubelet.',
    sources: '004-PRE-01, 004-PRE-08',
    reads: [fact.nodes()],
    run: ready,
  }),
  pre('08', 'No node is under pressure', {
    about:
      'Reads MemoryPressure, DiskPressure, PIDPressure and NetworkUnavailable of every node. Warning: ' +
      'one of several nodes. Failed: more nodes or the only one, because nothing can be scheduled there. ' +
      'Free memory or disk.',
    sources: '004-PRE-08',
    reads: [fact.nodes()],
    run: pressure,
  }),
  pre('15', 'Nodes reach each other', {
    about:
      'Checks that the network agents are ready on every node: the DaemonSets in kube-system that use ' +
      'the host network. Failed: one is not, so that pods on different nodes cannot talk. The doctor ' +
      'sends no packets, because that needs pods of its own; the end-to-end probe crosses nodes.',
    sources: '004-PRE-10',
    reads: [fact.nodes(), fact.objects('DaemonSet', 'all')],
    run: mesh,
  }),
  pre('17', 'Clocks agree', {
    about:
      'Compares the clocks of nodes and API server. Clocks that differ break the order of traces and ' +
      'logs, and Prometheus and Loki reject samples from the future. Measured by Date headers, accurate ' +
      'to 0.5 s, or else by the leases of the nodes, accurate to 12 s. Ok: up to 0.5 s apart. Warning: ' +
      'up to 5 s. Failed: more. Enable NTP on every node.',
    sources: '004-PRE-12',
    reads: [fact.clocks()],
    run: clocks,
  }),
  pre('26', 'The namespaces are not being deleted', {
    about:
      "Reads the phase of the installation's namespaces. Failed: one is Terminating, so that nothing can " +
      'be created in it; wait, or remove the finalizers that block the deletion. A namespace that does ' +
      'not exist yet is ok.',
    sources: '004-P1-01',
    reads: [fact.objects('Namespace'), fact.time()],
    run: namespace,
  }),
];

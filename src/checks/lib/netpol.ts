import type { KubeObject } from '../../core/types.ts';
import type { PlacedId } from '../../parts/catalog.ts';

/** Evaluates NetworkPolicies as a network plugin does: which policies block a connection of the stack. */

export interface Peer {
  /** Of a component. */
  id?: PlacedId;
  /** For people: `Grafana`, `applications`. */
  name: string;
  labels: Record<string, string>;
  namespace: string;
  namespaceLabels: Record<string, string>;
  /** Whether it is part of the stack. */
  inside: boolean;
}

export interface Flow {
  from: Peer;
  to: Peer;
  port: { number: number; name: string; protocol?: 'UDP' };
}

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}
interface PeerRule {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: unknown;
}
interface Rule {
  from?: PeerRule[];
  to?: PeerRule[];
  ports?: { port?: number | string; endPort?: number; protocol?: string }[];
}
interface Policy {
  podSelector?: Selector;
  policyTypes?: string[];
  ingress?: Rule[];
  egress?: Rule[];
}

function selects(selector: Selector | undefined, labels: Record<string, string>): boolean {
  const pairs = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    pairs &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'In') return value !== undefined && values.includes(value);
      if (operator === 'NotIn') return value === undefined || !values.includes(value);
      return operator === 'Exists' ? value !== undefined : value === undefined;
    })
  );
}

function matchesPeer(rule: PeerRule, peer: Peer, namespace: string): boolean {
  // An address range may contain any pod, so it counts as allowed.
  if (rule.ipBlock) return true;
  if (!rule.namespaceSelector && peer.namespace !== namespace) return false;
  if (rule.namespaceSelector && !selects(rule.namespaceSelector, peer.namespaceLabels)) return false;
  return !rule.podSelector || selects(rule.podSelector, peer.labels);
}

function matchesPort(rule: Rule, port: Flow['port']): boolean {
  const ports = (rule.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === (port.protocol ?? 'TCP'));
  if (!rule.ports?.length) return true;
  return ports.some(({ port: wanted, endPort }) => {
    if (wanted === undefined) return true;
    if (typeof wanted === 'string') return wanted === port.name;
    return endPort === undefined ? wanted === port.number : wanted <= port.number && port.number <= endPort;
  });
}

/** Policies that isolate the pod in this direction while none allows the flow; empty: it passes. */
function blockers(policies: KubeObject[], direction: 'ingress' | 'egress', flow: Flow): KubeObject[] {
  const [self, other] = direction === 'ingress' ? [flow.to, flow.from] : [flow.from, flow.to];
  if (!self.inside) return [];
  const isolating = policies.filter((policy) => {
    const spec = (policy['spec'] ?? {}) as Policy;
    const types = spec.policyTypes ?? ['Ingress', ...(spec.egress ? ['Egress'] : [])];
    if ((policy.metadata.namespace ?? self.namespace) !== self.namespace) return false;
    return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress') && selects(spec.podSelector, self.labels);
  });
  const allowed = isolating.some((policy) =>
    (((policy['spec'] ?? {}) as Policy)[direction] ?? []).some((rule) => {
      const peers = direction === 'ingress' ? rule.from : rule.to;
      return (
        matchesPort(rule, flow.port) &&
        (!peers?.length || peers.some((peer) => matchesPeer(peer, other, self.namespace)))
      );
    }),
  );
  return allowed ? [] : isolating;
}

/** Flows that no policy allows, with the policies that block them. */
export function blockedFlows(policies: KubeObject[], flows: Flow[]): { flow: Flow; policies: KubeObject[] }[] {
  return flows.flatMap((flow) => {
    const inTheWay = [...new Set([...blockers(policies, 'egress', flow), ...blockers(policies, 'ingress', flow)])];
    return inTheWay.length ? [{ flow, policies: inTheWay }] : [];
  });
}

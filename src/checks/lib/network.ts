import { type Verdict, ok, fail } from './check.ts';
import { fact, type Reads, type Facts, ifAvailable } from './facts.ts';
import { workloadOf } from './objects.ts';
import { mapAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { flowsOf } from './flows.ts';
import { blockedFlows, type Flow } from './netpol.ts';
import type { Config } from '../../profile/schema.ts';
import { PLACED_IDS, type PlacedId, placeOf } from '../../parts/catalog.ts';

/** PRE-16 evaluates all connections of the stack: its failure explains those of single components. */
export const POLICIES = 'PRE-16';
export const REACH_READS: Reads = (config) => [
  fact.objects('NetworkPolicy'),
  fact.objects('Namespace'),
  ...foreign(config).map(fact.workloads),
];

/** Components of upstream charts: the labels of their pods are read from the live workload. */
function foreign(config: Config): PlacedId[] {
  return PLACED_IDS.filter((id) => config[id].enabled && placeOf(config, id).chart !== 'genai-obs');
}

/** Connections of the stack, between existing or planned pods. */
export function flows(facts: Facts): Flow[] {
  const known = new Set(foreign(facts.config));
  const labels = (id: PlacedId) =>
    mapAt(
      known.has(id) ? ifAvailable(() => workloadOf(facts, id), undefined) : undefined,
      'spec',
      'template',
      'metadata',
      'labels',
    );
  return flowsOf(
    facts.config,
    (namespace) =>
      ifAvailable(
        () => facts.objects('Namespace').find(({ metadata }) => metadata.name === namespace)?.metadata.labels,
        undefined,
      ),
    (id) => (Object.keys(labels(id)).length ? (labels(id) as Record<string, string>) : undefined),
  );
}

/** Whether NetworkPolicies allow every sender that needs this component; `ports` are those of the container. */
export function reachVerdict(facts: Facts, to: PlacedId, ports: number[]): Verdict {
  const policies = facts.objects('NetworkPolicy');
  const { title, namespace } = facts.place(to);
  const ways = flows(facts).filter((flow) => flow.from.inside && flow.to.id === to && ports.includes(flow.port.number));
  const blocked = blockedFlows(policies, ways);
  const first = blocked[0];
  const what = `${title}:${ports.join(', ')}`;
  if (!first)
    return ok(
      policies.length
        ? `${what}: ${plural(policies.length, 'NetworkPolicy')} allow ` +
            (ways.map(({ from }) => from.name).join(', ') || 'every sender')
        : `${what}: no NetworkPolicy applies`,
    );
  const policy = first.policies[0];
  const name = policy?.metadata.name ?? '';
  const where = policy?.metadata.namespace ?? namespace;
  const kubectl = facts.kubectlIn(where);
  return fail(
    `NetworkPolicy ${list(first.policies.map(({ metadata }) => metadata.name))} blocks ` +
      blocked.map(({ flow }) => `${flow.from.name} to ${title}:${flow.port.number}`).join(', '),
    {
      cause: `${name} isolates the pods and none of its rules allows this port`,
      fix:
        `add the port: ${kubectl} edit networkpolicy ${name}   # or remove it: ${kubectl} delete ` +
        `networkpolicy ${name}`,
      object: `NetworkPolicy ${where}/${name}`,
    },
  );
}

import { flowsOf } from '../../doctor/flows.ts';
import { blockedFlows, type Flow } from '../../doctor/netpol.ts';
import { fail, type Look, ok, type Verdict } from '../../doctor/types.ts';
import type { Config } from '../../profile/schema.ts';
import { PLACED_IDS, type PlacedId, placeOf } from '../../parts/catalog.ts';
import { plural, type Read, some, tryLook } from './define.ts';
import { rec } from './json.ts';
import { workloadKey, workloadOf } from './pods.ts';

/** PRE-16 looks at all connections of the stack at once: where it fails, it explains these. */
export const POLICIES = 'PRE-16';
export const REACH_READS: Read = (config) => [
  'k8s:NetworkPolicy',
  'k8s:Namespace',
  ...foreign(config).map(workloadKey),
];

/** Components of charts that are not ours: their pods' labels are best seen on what is there. */
function foreign(config: Config): PlacedId[] {
  return PLACED_IDS.filter((id) => config[id].enabled && placeOf(config, id).chart !== 'genai-obs');
}

/** Connections of the stack between the pods as they are, or will be. */
export function flows(look: Look): Flow[] {
  const known = new Set(foreign(look.config));
  const labels = (id: PlacedId) =>
    rec(
      known.has(id) ? tryLook(() => workloadOf(look, id), undefined) : undefined,
      'spec',
      'template',
      'metadata',
      'labels',
    );
  return flowsOf(
    look.config,
    (namespace) =>
      tryLook(
        () => look.list('Namespace').find(({ metadata }) => metadata.name === namespace)?.metadata.labels,
        undefined,
      ),
    (id) => (Object.keys(labels(id)).length ? (labels(id) as Record<string, string>) : undefined),
  );
}

/** Do the NetworkPolicies let everybody who must reach this component through to it? `port` is that of the container. */
export function reachVerdict(look: Look, to: PlacedId, ports: number[]): Verdict {
  const policies = look.list('NetworkPolicy');
  const { title, namespace } = look.place(to);
  const ways = flows(look).filter((flow) => flow.from.inside && flow.to.id === to && ports.includes(flow.port.number));
  const blocked = blockedFlows(policies, ways);
  const first = blocked[0];
  const what = `${title}:${ports.join(', ')}`;
  if (!first)
    return ok(
      policies.length
        ? `${what}: ${plural(policies.length, 'NetworkPolicy')} let ${ways.map(({ from }) => from.name).join(', ') || 'everybody'} through`
        : `${what}: no NetworkPolicy in the way`,
    );
  const policy = first.policies[0];
  const name = policy?.metadata.name ?? '';
  const where = policy?.metadata.namespace ?? namespace;
  const kubectl = look.kubectlIn(where);
  return fail(
    `NetworkPolicy ${some(first.policies.map(({ metadata }) => metadata.name))} does not let ${blocked.map(({ flow }) => `${flow.from.name} to ${title}:${flow.port.number}`).join(', ')}`,
    {
      cause: `${name} isolates the pods and none of its rules allows this port`,
      fix: `add the port: ${kubectl} edit networkpolicy ${name}   # or remove it: ${kubectl} delete networkpolicy ${name}`,
      object: `NetworkPolicy ${where}/${name}`,
    },
  );
}

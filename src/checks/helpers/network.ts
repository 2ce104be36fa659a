import { CATALOG } from '../../components/catalog.ts';
import { flowsOf } from '../../doctor/flows.ts';
import { blockedFlows } from '../../doctor/netpol.ts';
import { fail, type FactKey, type Look, ok, type Verdict } from '../../doctor/types.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { plural, some, tryLook } from './define.ts';

/** PRE-16 looks at all connections of the stack at once: where it fails, it explains these. */
export const POLICIES = 'PRE-16';
export const REACH_READS: FactKey[] = ['k8s:NetworkPolicy', 'k8s:Namespace'];

/** Do the NetworkPolicies let everybody who must reach this component through to it? `port` is that of the container. */
export function reachVerdict(look: Look, to: ComponentId, ports: number[]): Verdict {
  const policies = look.list('NetworkPolicy');
  const namespace = tryLook(() => look.find('Namespace', look.namespace), undefined);
  const { title } = CATALOG[to];
  const flows = flowsOf(look.config, { 'kubernetes.io/metadata.name': look.namespace, ...namespace?.metadata.labels }).filter(
    (flow) => flow.from.inside && flow.to.labels['app.kubernetes.io/name'] === to && ports.includes(flow.port.number),
  );
  const blocked = blockedFlows(policies, flows);
  const first = blocked[0];
  const what = `${title}:${ports.join(', ')}`;
  if (!first)
    return ok(
      policies.length
        ? `${what}: ${plural(policies.length, 'NetworkPolicy')} let ${flows.map(({ from }) => from.name).join(', ') || 'everybody'} through`
        : `${what}: no NetworkPolicy in the way`,
    );
  const name = first.policies[0] ?? '';
  return fail(
    `NetworkPolicy ${some(first.policies)} does not let ${blocked.map(({ flow }) => `${flow.from.name} to ${title}:${flow.port.number}`).join(', ')}`,
    {
      cause: `${name} isolates the pods and none of its rules allows this port`,
      fix: `add the port: ${look.kubectl} edit networkpolicy ${name}   # or remove it: ${look.kubectl} delete networkpolicy ${name}`,
      object: `NetworkPolicy ${look.namespace}/${name}`,
    },
  );
}

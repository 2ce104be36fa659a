import { accountOf } from '../../parts/catalog.ts';
import { count } from '../../doctor/quantity.ts';
import { containers } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, skip, warn } from '../../doctor/types.ts';
import { COMPONENT_IDS, type Config, isEnabled } from '../../profile/schema.ts';

const base = { area: 'SEC', stage: 'stack' } as const;

const enabled = (config: Config) => COMPONENT_IDS.filter((id) => isEnabled(config, id));

interface Rule {
  verbs: string[];
  resources?: string[];
  apiGroups?: string[];
}

interface Binding {
  roleRef: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
}

/** Rights that let one become everything else. */
const ESCALATING = ['nodes/proxy', 'pods/exec', 'serviceaccounts/token'];

function tooWide({ verbs, resources = [], apiGroups = [] }: Rule): string | undefined {
  if (verbs.includes('*') || resources.includes('*') || apiGroups.includes('*')) return 'a wildcard';
  const verb = verbs.find((one) => ['escalate', 'bind', 'impersonate'].includes(one));
  return verb ?? resources.find((one) => ESCALATING.includes(one));
}

function roles(look: Look): Verdict {
  const accounts = new Set(
    enabled(look.config).flatMap((id) =>
      [accountOf(look.config, id), id].map((account) => `${look.place(id).namespace}/${account}`),
    ),
  );
  const bindings = (['ClusterRoleBinding', 'RoleBinding'] as const)
    .flatMap((kind) => look.list(kind))
    .filter((one) =>
      ((one as unknown as Binding).subjects ?? []).some(
        (subject) => subject.kind === 'ServiceAccount' && accounts.has(`${subject.namespace}/${subject.name}`),
      ),
    );
  for (const binding of bindings) {
    const { roleRef } = binding as unknown as Binding;
    const object = `${roleRef.kind} ${roleRef.name}`;
    const more = {
      object,
      cause: 'a service account of the stack may do more than it needs; a breach of its pod would spread',
      fix: `kubectl describe ${roleRef.kind.toLowerCase()} ${roleRef.name}, and put ours back: genai-obs install`,
    };
    if (roleRef.name === 'cluster-admin')
      return fail(`${binding.kind} ${binding.metadata.name} makes a service account of the stack cluster-admin`, more);
    const role = look.find(roleRef.kind, roleRef.name, binding.metadata.namespace) as unknown as
      | { rules?: Rule[] }
      | undefined;
    const wide = (role?.rules ?? []).map(tooWide).find(Boolean);
    if (wide) return warn(`${roleRef.kind} ${roleRef.name} grants ${wide}`, more);
  }
  return ok(`${count(bindings.length, 'binding')} of the stack’s accounts: no wildcard, no escalating right`);
}

function audit(look: Look): Verdict {
  const servers = look
    .listAll('Pod')
    .filter(
      (pod) => pod.metadata.namespace === 'kube-system' && pod.metadata.labels?.['component'] === 'kube-apiserver',
    );
  if (servers.length === 0)
    return skip('the API server is not a pod of this cluster: its audit settings cannot be seen');
  const without = servers.find(
    (pod) =>
      !containers(pod).some((one) =>
        [...(one.command ?? []), ...(one.args ?? [])].some((arg) =>
          /^--audit-(log-path|webhook-config-file)=/.test(arg),
        ),
      ),
  );
  if (!without) return ok(`${count(servers.length, 'API server')} with an audit log`);
  return warn(`API server ${without.metadata.name} writes no audit log`, {
    object: `Pod kube-system/${without.metadata.name}`,
    cause: 'neither --audit-log-path nor --audit-webhook-config-file is set',
    fix: 'set an audit policy: https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/',
  });
}

export const rightsChecks: Check[] = [
  {
    ...base,
    id: 'SEC-02',
    title: 'Service accounts have no wide rights',
    about:
      'Roles bound to the stack’s service accounts must hold no wildcard and no right that leads to all others (nodes/proxy, pods/exec, escalate, bind, impersonate, tokens). cluster-admin is a failure.',
    sources: '003-COL-16, 004-SEC-02',
    reads: () => ['k8s:ClusterRoleBinding', 'k8s:RoleBinding', 'k8s:ClusterRole', 'k8s:Role'],
    run: roles,
  },
  {
    ...base,
    id: 'SEC-03',
    title: 'The API server writes an audit log',
    about:
      'Where the API server is a pod of kube-system, its arguments tell. Managed clusters and K3s hide it: skipped.',
    sources: '004-SEC-03',
    reads: () => ['k8s:Pod@all'],
    run: audit,
  },
];

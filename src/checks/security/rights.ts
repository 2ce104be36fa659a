import { enabledComponents } from '../lib/place.ts';
import { commandLines } from '../lib/objects.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { plural } from '../../core/text.ts';
import { accountOf } from '../../parts/catalog.ts';

const sec = checksOf('SEC');

interface Rule {
  verbs: string[];
  resources?: string[];
  apiGroups?: string[];
}

interface Binding {
  roleRef: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
}

/** Permissions that lead to all others. */
const ESCALATING = ['nodes/proxy', 'pods/exec', 'serviceaccounts/token'];

function tooWide({ verbs, resources = [], apiGroups = [] }: Rule): string | undefined {
  if (verbs.includes('*') || resources.includes('*') || apiGroups.includes('*')) return 'a wildcard';
  const verb = verbs.find((one) => ['escalate', 'bind', 'impersonate'].includes(one));
  return verb ?? resources.find((one) => ESCALATING.includes(one));
}

function roles(facts: Facts): Verdict {
  const accounts = new Set(
    enabledComponents(facts.config).flatMap((id) =>
      [accountOf(facts.config, id), id].map((account) => `${facts.place(id).namespace}/${account}`),
    ),
  );
  const bindings = (['ClusterRoleBinding', 'RoleBinding'] as const)
    .flatMap((kind) => facts.objects(kind))
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
      cause: 'a service account of the stack has more permissions than it needs; a compromised pod could use them',
      fix: `kubectl describe ${roleRef.kind.toLowerCase()} ${roleRef.name}, and restore ours: genai-obs install`,
    };
    if (roleRef.name === 'cluster-admin')
      return fail(`${binding.kind} ${binding.metadata.name} makes a service account of the stack cluster-admin`, more);
    const role = facts.find(roleRef.kind, roleRef.name, binding.metadata.namespace) as unknown as
      | { rules?: Rule[] }
      | undefined;
    const wide = (role?.rules ?? []).map(tooWide).find(Boolean);
    if (wide) return warn(`${roleRef.kind} ${roleRef.name} grants ${wide}`, more);
  }
  return ok(`${plural(bindings.length, 'binding')} of the stack’s accounts: no wildcard, no escalating permission`);
}

function audit(facts: Facts): Verdict {
  const servers = facts
    .pods('all')
    .filter(
      (pod) => pod.metadata.namespace === 'kube-system' && pod.metadata.labels?.['component'] === 'kube-apiserver',
    );
  if (servers.length === 0)
    return skip('the API server is not a pod of this cluster: its audit settings are not visible');
  const without = servers.find(
    (pod) =>
      !commandLines(pod).some((args) => args.some((arg) => /^--audit-(log-path|webhook-config-file)=/.test(arg))),
  );
  if (!without) return ok(`${plural(servers.length, 'API server')} with an audit log`);
  return warn(`API server ${without.metadata.name} writes no audit log`, {
    object: `Pod kube-system/${without.metadata.name}`,
    cause: 'neither --audit-log-path nor --audit-webhook-config-file is set',
    fix: 'set an audit policy: https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/',
  });
}

export const rightsChecks: Check[] = [
  sec('02', 'Service accounts have no wide permissions', {
    about:
      "Reads the roles bound to the stack's service accounts. Warning: a wildcard, or a permission " +
      'that leads to all others (nodes/proxy, pods/exec, escalate, bind, impersonate, tokens). Failed: ' +
      'cluster-admin. `genai-obs install` restores our roles.',
    sources: '003-COL-16, 004-SEC-02',
    reads: [
      fact.objects('ClusterRoleBinding'),
      fact.objects('RoleBinding'),
      fact.objects('ClusterRole'),
      fact.objects('Role'),
    ],
    run: roles,
  }),
  sec('03', 'The API server writes an audit log', {
    about:
      'Reads the arguments of the API server where it is a pod in kube-system. Warning: neither an ' +
      'audit log path nor a webhook is set. Managed clusters and K3s hide the arguments: skipped.',
    sources: '004-SEC-03',
    reads: [fact.pods('all')],
    run: audit,
  }),
];

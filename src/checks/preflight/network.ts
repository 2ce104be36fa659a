import type { KubeObject } from '../../core/types.ts';
import { blockedFlows } from '../../doctor/netpol.ts';
import { count, names } from '../../doctor/quantity.ts';
import { conditions, specOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, skip, warn } from '../../doctor/types.ts';
import { keysFor } from '../helpers/define.ts';
import { flows as flowsIn, REACH_READS } from '../helpers/network.ts';
import { namespaceIn } from '../helpers/place.ts';

const base = { area: 'PRE', stage: 'preflight' } as const;

function policies(look: Look): Verdict {
  const found = look.list('NetworkPolicy');
  const flows = flowsIn(look);
  const where = look.namespaces.length > 1 ? 'namespaces' : 'namespace';
  if (found.length === 0)
    return ok(`no NetworkPolicy in the ${where}: all ${flows.length} connections of the stack are open`);
  const blocked = blockedFlows(found, flows);
  const first = blocked[0];
  if (!first)
    return ok(
      `${found.length === 1 ? 'the NetworkPolicy of' : `${found.length} NetworkPolicies in`} the ${where} let all ${flows.length} connections of the stack through`,
    );
  const text = blocked.map(({ flow }) => `${flow.from.name} to ${flow.to.name}:${flow.port.number}`);
  const policy = first.policies[0];
  const name = policy?.metadata.name ?? '';
  const home = policy?.metadata.namespace ?? look.namespace;
  const kubectl = look.kubectlIn(home);
  const more = {
    object: `NetworkPolicy ${home}/${name}`,
    cause: `${names(first.policies.map(({ metadata }) => metadata.name))} isolates pods of the stack and allows less than they need`,
    fix: `${kubectl} describe networkpolicy ${name}; allow the connections, or delete it: ${kubectl} delete networkpolicy ${name}`,
  };
  const evidence = `${blocked.length} of ${flows.length} connections have no rule: ${names(text)}`;
  // Applications may be let in by labels that nobody here can know.
  return blocked.every(({ flow }) => !flow.from.inside) ? warn(evidence, more) : fail(evidence, more);
}

function ingresses(look: Look): KubeObject[] {
  return look.list('Ingress');
}

function ingressClass(look: Look): Verdict {
  const own = ingresses(look);
  if (own.length === 0) return skip('the stack has no Ingress');
  const classes = look.list('IngressClass').map((one) => one.metadata.name);
  const lost = own.find((one) => {
    const wanted = specOf<{ ingressClassName: string }>(one).ingressClassName;
    return wanted ? !classes.includes(wanted) : classes.length === 0;
  });
  if (!lost)
    return ok(
      `${count(own.length, 'Ingress')} of class ${names([...new Set(own.map((one) => specOf<{ ingressClassName: string }>(one).ingressClassName ?? 'default'))])}`,
    );
  const wanted = specOf<{ ingressClassName: string }>(lost).ingressClassName;
  return fail(
    `Ingress ${lost.metadata.name} wants class ${wanted ?? '(default)'}; there are: ${names(classes) || 'none'}`,
    {
      object: `Ingress ${namespaceIn(look, lost)}/${lost.metadata.name}`,
      cause: 'no controller serves this class',
      fix: 'install the ingress controller, or name its class; kubectl get ingressclass',
    },
  );
}

function certManager(look: Look): Verdict {
  const asking = ingresses(look).filter((one) =>
    Object.keys(one.metadata.annotations ?? {}).some((key) => key.startsWith('cert-manager.io/')),
  );
  const first = asking[0];
  if (!first) return skip('nothing in this profile asks cert-manager for a certificate');
  const parts = look
    .listAll('Deployment')
    .filter(
      (one) =>
        (one.metadata.labels?.['app.kubernetes.io/name'] ?? one.metadata.name).match(
          /^(cert-manager|webhook|cainjector)/,
        ) && /cert-manager/.test(`${one.metadata.name} ${one.metadata.namespace}`),
    );
  const down = parts.find(
    (one) => !conditions(one).some((condition) => condition.type === 'Available' && condition.status === 'True'),
  );
  if (parts.length === 0)
    return fail(`Ingress ${first.metadata.name} asks cert-manager for a certificate, which is not installed`, {
      object: `Ingress ${namespaceIn(look, first)}/${first.metadata.name}`,
      cause: 'cert-manager is absent',
      fix: 'install cert-manager: https://cert-manager.io/docs/installation/',
    });
  if (down)
    return fail(`Deployment ${down.metadata.name} is not available`, {
      object: `Deployment ${down.metadata.namespace}/${down.metadata.name}`,
      cause: 'certificates are not issued while cert-manager is down',
      fix: `kubectl -n ${down.metadata.namespace} describe deployment ${down.metadata.name}`,
    });
  return ok(`${count(parts.length, 'Deployment')} of cert-manager available`);
}

const never = (reason: string) => ({ reads: () => [], skipIf: () => reason, run: () => skip(reason) });

export const networkChecks: Check[] = [
  {
    ...base,
    id: 'PRE-16',
    title: 'NetworkPolicies let the stack talk',
    about:
      'Reads the NetworkPolicies of the stack’s namespaces and works out whether every connection that the stack needs has a rule: applications to the gateway, collectors to the backends, Grafana to its datasources, Prometheus to its targets. No packet is sent. Failed: a connection inside of the stack has no rule. Warning: only applications of other namespaces have none, they may be let in by labels.',
    sources: '003-PRE-07, 004-PRE-11',
    reads: (config) => keysFor(config, REACH_READS),
    run: policies,
  },
  {
    ...base,
    id: 'PRE-18',
    title: 'The ingress class exists',
    about: 'Only when the namespace has an Ingress: its class must exist, or no controller serves it.',
    sources: '000-PRE-04',
    reads: () => ['k8s:Ingress', 'k8s:IngressClass'],
    run: ingressClass,
  },
  {
    ...base,
    id: 'PRE-19',
    title: 'cert-manager is ready',
    about:
      'Only when an Ingress of the namespace asks cert-manager for a certificate: its Deployments must be available.',
    sources: '000-PRE-05, 004-P1-02',
    reads: () => ['k8s:Ingress', 'k8s:Deployment@all'],
    run: certManager,
  },
  {
    ...base,
    id: 'PRE-25',
    title: 'Outside services are reached',
    about: 'Only for profiles that export to Grafana Cloud, Datadog, Honeycomb or Splunk.',
    sources: '002-DEP-01',
    ...never('what leaves the cluster is looked at by CLD-01 to CLD-03'),
  },
];

import { textAt } from '../../core/json.ts';
import { condition } from '../lib/objects.ts';
import { checksOf, notHere, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { plural, list } from '../../core/text.ts';
import { blockedFlows } from '../lib/netpol.ts';
import { flows as flowsIn, REACH_READS } from '../lib/network.ts';
import { namespaceIn } from '../lib/place.ts';

const pre = checksOf('PRE', 'preflight');

function policies(facts: Facts): Verdict {
  const found = facts.objects('NetworkPolicy');
  const flows = flowsIn(facts);
  const where = facts.namespaces.length > 1 ? 'namespaces' : 'namespace';
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
  const home = policy?.metadata.namespace ?? facts.namespace;
  const kubectl = facts.kubectlIn(home);
  const more = {
    object: `NetworkPolicy ${home}/${name}`,
    cause: `${list(first.policies.map(({ metadata }) => metadata.name))} isolates pods of the stack and allows less than they need`,
    fix: `${kubectl} describe networkpolicy ${name}; allow the connections, or delete it: ${kubectl} delete networkpolicy ${name}`,
  };
  const evidence = `${blocked.length} of ${flows.length} connections have no rule: ${list(text)}`;
  // Applications may be let in by labels that nobody here can know.
  return blocked.every(({ flow }) => !flow.from.inside) ? warn(evidence, more) : fail(evidence, more);
}

function ingressClass(facts: Facts): Verdict {
  const own = facts.objects('Ingress');
  if (own.length === 0) return skip('the stack has no Ingress');
  const classes = facts.objects('IngressClass').map((one) => one.metadata.name);
  const lost = own.find((one) => {
    const wanted = textAt(one, 'spec', 'ingressClassName');
    return wanted ? !classes.includes(wanted) : classes.length === 0;
  });
  if (!lost)
    return ok(
      `${plural(own.length, 'Ingress')} of class ${list([...new Set(own.map((one) => textAt(one, 'spec', 'ingressClassName') ?? 'default'))])}`,
    );
  const wanted = textAt(lost, 'spec', 'ingressClassName');
  return fail(
    `Ingress ${lost.metadata.name} wants class ${wanted ?? '(default)'}; there are: ${list(classes) || 'none'}`,
    {
      object: `Ingress ${namespaceIn(facts, lost)}/${lost.metadata.name}`,
      cause: 'no controller serves this class',
      fix: 'install the ingress controller, or name its class; kubectl get ingressclass',
    },
  );
}

function certManager(facts: Facts): Verdict {
  const asking = facts
    .objects('Ingress')
    .filter((one) => Object.keys(one.metadata.annotations ?? {}).some((key) => key.startsWith('cert-manager.io/')));
  const first = asking[0];
  if (!first) return skip('nothing in this profile asks cert-manager for a certificate');
  const parts = facts
    .objects('Deployment', 'all')
    .filter(
      (one) =>
        (one.metadata.labels?.['app.kubernetes.io/name'] ?? one.metadata.name).match(
          /^(cert-manager|webhook|cainjector)/,
        ) && /cert-manager/.test(`${one.metadata.name} ${one.metadata.namespace}`),
    );
  const down = parts.find((one) => condition(one, 'Available')?.['status'] !== 'True');
  if (parts.length === 0)
    return fail(`Ingress ${first.metadata.name} asks cert-manager for a certificate, which is not installed`, {
      object: `Ingress ${namespaceIn(facts, first)}/${first.metadata.name}`,
      cause: 'cert-manager is absent',
      fix: 'install cert-manager: https://cert-manager.io/docs/installation/',
    });
  if (down)
    return fail(`Deployment ${down.metadata.name} is not available`, {
      object: `Deployment ${down.metadata.namespace}/${down.metadata.name}`,
      cause: 'certificates are not issued while cert-manager is down',
      fix: `kubectl -n ${down.metadata.namespace} describe deployment ${down.metadata.name}`,
    });
  return ok(`${plural(parts.length, 'Deployment')} of cert-manager available`);
}

export const networkChecks: Check[] = [
  pre('16', 'NetworkPolicies let the stack talk', {
    about:
      'Reads the NetworkPolicies of the stack’s namespaces and works out whether every connection that the stack needs has a rule: applications to the gateway, collectors to the backends, Grafana to its datasources, Prometheus to its targets. No packet is sent. Failed: a connection inside of the stack has no rule. Warning: only applications of other namespaces have none, they may be let in by labels.',
    sources: '003-PRE-07, 004-PRE-11',
    reads: REACH_READS,
    run: policies,
  }),
  pre('18', 'The ingress class exists', {
    about: 'Only when the namespace has an Ingress: its class must exist, or no controller serves it.',
    sources: '000-PRE-04',
    reads: [fact.objects('Ingress'), fact.objects('IngressClass')],
    run: ingressClass,
  }),
  pre('19', 'cert-manager is ready', {
    about:
      'Only when an Ingress of the namespace asks cert-manager for a certificate: its Deployments must be available.',
    sources: '000-PRE-05, 004-P1-02',
    reads: [fact.objects('Ingress'), fact.objects('Deployment', 'all')],
    run: certManager,
  }),
  pre('25', 'Outside services are reached', {
    about: 'Only for profiles that export to Grafana Cloud, Datadog, Honeycomb or Splunk.',
    sources: '002-DEP-01',
    ...notHere('what leaves the cluster is looked at by CLD-01 to CLD-03'),
  }),
];

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
      `${found.length === 1 ? 'the NetworkPolicy of' : `${found.length} NetworkPolicies in`} the ` +
        `${where} allow all ${flows.length} connections of the stack`,
    );
  const text = blocked.map(({ flow }) => `${flow.from.name} to ${flow.to.name}:${flow.port.number}`);
  const policy = first.policies[0];
  const name = policy?.metadata.name ?? '';
  const home = policy?.metadata.namespace ?? facts.namespace;
  const kubectl = facts.kubectlIn(home);
  const more = {
    object: `NetworkPolicy ${home}/${name}`,
    cause:
      `${list(first.policies.map(({ metadata }) => metadata.name))} isolates pods of the stack and ` +
      'allows less than they need',
    fix:
      `${kubectl} describe networkpolicy ${name}; allow the connections, or delete it: ${kubectl} delete ` +
      `networkpolicy ${name}`,
  };
  const evidence = `${blocked.length} of ${flows.length} connections have no rule: ${list(text)}`;
  // A rule may let applications in by labels that are not known here.
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
      `${plural(own.length, 'Ingress')} of class ` +
        list([...new Set(own.map((one) => textAt(one, 'spec', 'ingressClassName') ?? 'default'))]),
    );
  const wanted = textAt(lost, 'spec', 'ingressClassName');
  return fail(
    `Ingress ${lost.metadata.name} wants class ${wanted ?? '(default)'}; existing classes: ${list(classes) || 'none'}`,
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
  if (!first) return skip('no Ingress requests a certificate from cert-manager');
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
    return fail(`Ingress ${first.metadata.name} requests a certificate from cert-manager, which is not installed`, {
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
      "Evaluates the NetworkPolicies of the stack's namespaces against every connection that the stack " +
      'needs: applications to the gateway, collectors to the backends, Grafana to its datasources, ' +
      'Prometheus to its targets. No packet is sent. Failed: a connection inside the stack has no rule. ' +
      'Warning: only applications in other namespaces have none; a rule may let them in by labels.',
    sources: '003-PRE-07, 004-PRE-11',
    reads: REACH_READS,
    run: policies,
  }),
  pre('18', 'The ingress class exists', {
    about:
      'Only when the stack has an Ingress. Failed: its IngressClass does not exist, so that no ' +
      'controller serves it. Install the controller or set its class.',
    sources: '000-PRE-04',
    reads: [fact.objects('Ingress'), fact.objects('IngressClass')],
    run: ingressClass,
  }),
  pre('19', 'cert-manager is ready', {
    about:
      'Only when an Ingress of the stack requests a certificate from cert-manager. Failed: cert-manager ' +
      'is not installed, or one of its Deployments is not available; certificates are not issued until ' +
      'it is.',
    sources: '000-PRE-05, 004-P1-02',
    reads: [fact.objects('Ingress'), fact.objects('Deployment', 'all')],
    run: certManager,
  }),
  pre('25', 'External services can be reached', {
    about: 'Always skipped: CLD-01 to CLD-03 check what leaves the cluster.',
    sources: '002-DEP-01',
    ...notHere('CLD-01 to CLD-03 check what leaves the cluster'),
  }),
];

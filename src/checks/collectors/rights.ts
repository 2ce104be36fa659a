import { type Verdict, type Check, checksOf, ok, fail } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { list } from '../../core/text.ts';
import { type CollectorId, enabledCollectors } from '../lib/collectors.ts';
import { accountOf } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';

const col = checksOf('COL');

/** Permissions that the receivers and processors of each collector need. */
const RIGHTS: Record<CollectorId, string[]> = {
  'opentelemetry-collector': [
    'list:/pods',
    'watch:/pods',
    'list:/namespaces',
    'list:/nodes',
    'list:apps/replicasets',
    'watch:apps/replicasets',
  ],
  'opentelemetry-node-collector': ['get:/nodes/stats'],
  'opentelemetry-cluster-collector': [
    'list:/pods',
    'watch:/pods',
    'list:/nodes',
    'watch:/nodes',
    'list:/namespaces',
    'list:/services',
    'list:/resourcequotas',
    'list:/replicationcontrollers',
    'list:/events',
    'watch:/events',
    'list:apps/deployments',
    'list:apps/daemonsets',
    'list:apps/replicasets',
    'list:apps/statefulsets',
    'list:batch/jobs',
    'list:batch/cronjobs',
    'list:autoscaling/horizontalpodautoscalers',
  ],
};

/** The rights of each collector's service account, `list:apps/replicasets`. */
function rightsOf(config: Config): { id: CollectorId; account: string; verb: string; resource: string }[] {
  return enabledCollectors(config).flatMap((id) =>
    RIGHTS[id].map((right) => {
      const [verb = '', resource = ''] = right.split(':');
      return { id, account: accountOf(config, id), verb, resource };
    }),
  );
}

function rights(facts: Facts): Verdict {
  const wanted = rightsOf(facts.config);
  const denied = wanted.filter(({ account, verb, resource }) => {
    return !facts.accountAccess(account, verb, resource).allowed;
  });
  const [first] = denied;
  if (!first)
    return ok(`${wanted.length} permissions of ${enabledCollectors(facts.config).length} service accounts are granted`);
  const { account } = first;
  const { chart, namespace } = facts.place(first.id);
  const own = chart === 'genai-obs' ? ` ${namespace}-${account}` : '';
  const texts = denied.map((one) => `${one.account} may not ${one.verb} ${one.resource.replace(/^\//, '')}`);
  return fail(`${denied.length} of ${wanted.length} permissions are missing: ${list(texts, 3)}`, {
    cause: `ClusterRole or ClusterRoleBinding${own || ` of ServiceAccount ${account}`} was removed or changed`,
    fix:
      `genai-obs install   # restores role and binding; then: ${facts.kubectl} auth can-i ${first.verb} ` +
      `${first.resource.split('/').slice(1).join('/')} -A ` +
      `--as=system:serviceaccount:${namespace}:${account}`,
    object: own ? `ClusterRoleBinding${own}` : `ServiceAccount ${namespace}/${account}`,
  });
}

export const rightsChecks: Check[] = [
  col('06', 'Collectors have the permissions they need', {
    about:
      'Sends access reviews for the service account of each collector: pods and replicasets for ' +
      'k8s_attributes, nodes/stats for the kubelet, the whole cluster for k8s_cluster and events. ' +
      'Failed: one is missing, so that telemetry lacks pod and workload names or does not arrive. ' +
      '`genai-obs install` restores role and binding.',
    sources: '001-CFG-07, 001-OPEN-01, 003-COL-16, 004-TRB-01',
    reads: (config) =>
      rightsOf(config).map(({ account, verb, resource }) => fact.accountAccess(account, verb, resource)),
    run: rights,
  }),
];

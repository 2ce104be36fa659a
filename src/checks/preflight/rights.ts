import { textsAt, numberAt, listAt, at } from '../../core/json.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts, ifAvailable } from '../lib/facts.ts';
import { isOurs, workloadOf } from '../lib/objects.ts';
import { plural, list } from '../../core/text.ts';
import { releaseOf } from '../../parts/catalog.ts';
import { GRAFANA_ADMIN } from '../../core/labels.ts';
import { type Config } from '../../profile/schema.ts';
import type { KubeObject } from '../../core/types.ts';
import { enabledComponents, operatorOf, workloadObject } from '../lib/place.ts';

const pre = checksOf('PRE', 'preflight');

const KEYS = ['admin-user', 'admin-password'];

function secrets(facts: Facts): Verdict {
  const { namespace } = facts.place('grafana');
  const kubectl = facts.kubectlFor('grafana');
  const secret = facts.find('Secret', GRAFANA_ADMIN, namespace);
  const object = `Secret ${namespace}/${GRAFANA_ADMIN}`;
  if (!secret) {
    if (!workloadOf(facts, 'grafana'))
      return ok(`${GRAFANA_ADMIN} does not exist yet: install creates it with a random password`);
    return fail(`Secret ${GRAFANA_ADMIN} does not exist, but Grafana is installed`, {
      object,
      cause: 'the Secret was deleted; Grafana starts only with it',
      fix: 'genai-obs install --only secrets',
    });
  }
  const missing = KEYS.filter((key) => !numberAt(secret, 'keys', key));
  if (missing.length)
    return fail(`Secret ${GRAFANA_ADMIN} lacks a value for ${missing.join(' and ')}`, {
      object,
      cause: 'the Secret was edited',
      fix: `${kubectl} delete secret ${GRAFANA_ADMIN}, then: genai-obs install --only secrets,grafana`,
    });
  const weak = textsAt(secret, 'weak');
  if (weak.length)
    return warn(`Secret ${GRAFANA_ADMIN}: ${weak.join(' and ')} holds a placeholder or a well-known default`, {
      object,
      cause: 'the value was never changed',
      fix: `${kubectl} delete secret ${GRAFANA_ADMIN}, then: genai-obs install --only secrets,grafana`,
    });
  return ok(`Secret ${GRAFANA_ADMIN} has ${KEYS.join(' and ')}`);
}

const create = (resource: string): [string, string] => ['create', resource];

/** What an installation creates; the caller must be allowed to. */
const RIGHTS: [verb: string, resource: string][] = [
  ...['namespaces', 'secrets', 'configmaps', 'services', 'serviceaccounts', 'persistentvolumeclaims'].map((name) =>
    create(`/${name}`),
  ),
  ...['deployments', 'statefulsets', 'daemonsets'].map((name) => create(`apps/${name}`)),
  ...['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'].map((name) =>
    create(`rbac.authorization.k8s.io/${name}`),
  ),
  create('policy/poddisruptionbudgets'),
  create('coordination.k8s.io/leases'),
  ['get', '/nodes/proxy'],
  ['get', '/services/proxy'],
  create('/pods/portforward'),
];

function rights(facts: Facts): Verdict {
  const denied = RIGHTS.filter(([verb, resource]) => !facts.access(verb, resource).allowed);
  // An administrator may have created the namespaces.
  const there = new Set(ifAvailable(() => facts.objects('Namespace'), []).map((one) => one.metadata.name));
  const exists = facts.namespaces.every((name) => there.has(name));
  const missing = denied.filter(([, resource]) => !(exists && resource === '/namespaces'));
  if (missing.length === 0) return ok(`the caller has all ${RIGHTS.length} permissions that install and doctor need`);
  const text = missing.map(([verb, path]) => {
    const [group, ...resource] = path.split('/');
    return `${verb} ${resource.join('/')}${group ? `.${group}` : ''}`;
  });
  return fail(`the caller may not: ${list(text, 5)}`, {
    cause: 'the account of this context lacks permissions',
    fix: 'ask an administrator for a binding to cluster-admin, or for these permissions; kubectl auth can-i --list',
  });
}

function zones(facts: Facts): Verdict {
  const zone = 'topology.kubernetes.io/zone';
  const found = new Set(facts.nodes().flatMap((node) => node.metadata.labels?.[zone] ?? []));
  const gateway = workloadOf(facts, 'opentelemetry-collector');
  const replicas = numberAt(gateway, 'spec', 'replicas') ?? facts.config['opentelemetry-collector'].replicaCount;
  const pod = at(gateway, 'spec', 'template', 'spec');
  const anti = listAt(pod, 'affinity', 'podAntiAffinity', 'requiredDuringSchedulingIgnoredDuringExecution');
  const required = anti.some((one) => at(one, 'topologyKey') === zone);
  const strict = listAt(pod, 'topologySpreadConstraints').some(
    (one) => at(one, 'topologyKey') === zone && at(one, 'whenUnsatisfiable') === 'DoNotSchedule',
  );
  if (!required && !(strict && found.size === 0))
    return ok(`gateway replicas are spread over zones where there are any (${found.size} known), none is required`);
  if (found.size >= replicas) return ok(`${plural(found.size, 'zone')} for ${plural(replicas, 'replica')}`);
  return fail(`${plural(replicas, 'replica')} need one zone each, the nodes have ${plural(found.size, 'zone')}`, {
    object: workloadObject(facts, 'opentelemetry-collector'),
    cause: 'the anti-affinity is required: replicas without a zone stay Pending',
    fix: `genai-obs install --gateway-replicas ${Math.max(1, found.size)}, or make the rule preferred`,
  });
}

function ownNames(workload: string, cluster: string): [kind: string, name: string][] {
  return [
    ['ServiceAccount', workload],
    ['ConfigMap', workload],
    ['ClusterRole', cluster],
    ['ClusterRoleBinding', cluster],
  ];
}

/** Objects of upstream charts lack our label: Helm's annotation or the operator's label identifies them. */
function madeBy(
  { metadata: { labels = {}, annotations = {} } }: KubeObject,
  release: { name: string; namespace: string } | undefined,
): boolean {
  const helm =
    annotations['meta.helm.sh/release-name'] === release?.name &&
    annotations['meta.helm.sh/release-namespace'] === release?.namespace;
  return (
    (release !== undefined && helm) ||
    (labels['app.kubernetes.io/managed-by'] ?? labels['managed-by'] ?? '').endsWith('operator')
  );
}

/** Whether all components use our charts. */
const only = (config: Config) => enabledComponents(config).every((id) => config[id].chart === 'genai-obs');

/** Foreign objects with names that our releases use: helm would refuse or overwrite them. */
function free(facts: Facts): Verdict {
  const taken = enabledComponents(facts.config).flatMap((id) => {
    const { chart, namespace, workload, service } = facts.place(id);
    const cluster = `${namespace}-${id}`;
    const wanted: [kind: string, name: string][] = [
      [workload.kind, workload.name],
      ['Service', service.name],
      ...(chart === 'genai-obs' ? ownNames(workload.name, cluster) : []),
    ];
    const release = releaseOf(facts.config, id);
    return wanted.flatMap(([kind, name]) => {
      const object = facts.find(kind, name, namespace);
      return object && !isOurs(object) && !(chart !== 'genai-obs' && madeBy(object, release))
        ? [{ kind, name, namespace }]
        : [];
    });
  });
  const first = taken[0];
  if (!first)
    return ok(
      `no foreign object has a name that the ${enabledComponents(facts.config).length} ` +
        `${only(facts.config) ? 'releases' : 'components'} use`,
    );
  const { kind, name, namespace } = first;
  const scope = kind.startsWith('Cluster') ? '' : `${namespace}/`;
  return fail(`used by objects that genai-obs did not create: ${list(taken.map((one) => `${one.kind} ${one.name}`))}`, {
    object: `${kind} ${scope}${name}`,
    cause: 'another installation uses these names; installing would change or fail on its objects',
    fix:
      'install into a namespace of its own: genai-obs install --namespace NAME; or remove it: ' +
      `${facts.kubectlIn(namespace)} delete ${kind.toLowerCase()} ${name}`,
  });
}

/** Why no CRD is checked. */
function noDefinitions(config: Config): string {
  const operated = enabledComponents(config).filter(
    (id) => config[id].chart === 'opentelemetry-operator' || (id === 'prometheus' && operatorOf(config, id)),
  );
  return operated.length
    ? `install creates the CRDs that ${list(operated.map((id) => config[id].chart))} needs before ` +
        "anything uses them; the operators' workloads are checked by COL-01, COL-02, COL-24 and PROM-01"
    : 'this profile uses no operator and no custom resources';
}

export const rightsChecks: Check[] = [
  pre('21', 'CustomResourceDefinitions are established', {
    about:
      'Always skipped. Charts with operators install their CustomResourceDefinitions (CRDs) before ' +
      'anything uses them; checks of the components show whether the operators work.',
    sources: '004-P1-02',
    reads: [],
    skipIf: noDefinitions,
    run: (facts) => skip(noDefinitions(facts.config)),
  }),
  pre('22', 'Secrets of the profile exist', {
    about:
      'Reads names and lengths of the keys in Secret grafana-admin, from which Grafana takes its ' +
      'administrator. Failed: missing while Grafana is installed, or a key without a value. Warning: a ' +
      'placeholder or a well-known default. Recreate the Secret.',
    sources: '000-INST-04, 000-INST-05, 000-INST-06, 002-DEP-02',
    reads: [fact.objects('Secret'), fact.workloads('grafana')],
    skipIf: (config) =>
      config.grafana.enabled ? undefined : 'Grafana is not part of this profile: no secret is needed',
    run: secrets,
  }),
  pre('23', 'The caller has the required permissions', {
    about:
      'Sends access reviews to the API server: may the account of this context create what an ' +
      'installation creates, and use the proxies and tunnels of the doctor? Failed: at least one ' +
      'permission is missing. Ask an administrator for a binding.',
    sources: 'genai-obs',
    reads: [...RIGHTS.map(([verb, resource]) => fact.access(verb, resource)), fact.objects('Namespace')],
    run: rights,
  }),
  pre('27', 'There are enough zones for required spreading', {
    about:
      'Compares the zones of the nodes with the replicas of the gateway, where an anti-affinity or ' +
      'spread over zones is required. Failed: fewer zones than replicas, so that pods stay Pending. A ' +
      'preferred rule needs none.',
    sources: '000-HA-01',
    reads: [fact.nodes(), fact.workloads('opentelemetry-collector')],
    skipIf: (config) =>
      config['opentelemetry-collector'].enabled ? undefined : 'the gateway is not part of this profile',
    run: zones,
  }),
  pre('29', 'Names are free', {
    about:
      'Looks for workloads, Services, ServiceAccounts, ConfigMaps and cluster roles that have the names ' +
      'of our releases but not our label. Objects of upstream charts are recognised by the release that ' +
      'Helm records on them. Failed: another installation owns one; helm would refuse it or overwrite ' +
      'it. Install into another namespace, or delete the object.',
    sources: 'genai-obs',
    reads: () =>
      [
        'Deployment',
        'StatefulSet',
        'DaemonSet',
        'Service',
        'ServiceAccount',
        'ConfigMap',
        'ClusterRole',
        'ClusterRoleBinding',
      ].map((kind) => fact.objects(kind)),
    run: free,
  }),
];

import { checksOf, type Verdict, type Check, ok, warn, skip } from './lib/check.ts';
import { fact, type Facts } from './lib/facts.ts';
import { list } from '../core/text.ts';
import type { Config } from '../profile/schema.ts';
import { matchersOf } from './lib/query.ts';
import { RULES, loadedRules } from './prometheus/rules.ts';

const k3s = checksOf('K3S', 'preflight');

/** K3s' version, `v1.34.1+k3s1`; undefined on any other Kubernetes. */
function versionOf(facts: Facts): string | undefined {
  const { gitVersion } = facts.version();
  return gitVersion.includes('+k3s') ? gitVersion : undefined;
}

const ELSEWHERE = skip('the cluster is no K3s');

/** Arguments of the servers, also those of config.yaml: K3s writes them to an annotation of the node. Undefined: no node tells. */
function serverArgs(facts: Facts): string[] | undefined {
  const each = facts.nodes().flatMap((node): string[][] => {
    try {
      const args: unknown = JSON.parse(node.metadata.annotations?.['k3s.io/node-args'] ?? '');
      return Array.isArray(args) && args[0] === 'server' ? [args.map(String)] : [];
    } catch {
      return [];
    }
  });
  return each.length ? each.flat() : undefined;
}

/** Values of a flag, given as `--flag value`, `--flag=value` or a list with commas. */
function valuesOf(args: string[], flag: string): string[] {
  return args.flatMap((arg, i) =>
    arg === flag
      ? (args[i + 1] ?? '').split(',')
      : arg.startsWith(`${flag}=`)
        ? arg.slice(flag.length + 1).split(',')
        : [],
  );
}

const isOn = (args: string[], flag: string): boolean => args.includes(flag) || valuesOf(args, flag).includes('true');

function fits(facts: Facts): Verdict {
  const version = versionOf(facts);
  const { profile, storage } = facts.config;
  const classes = facts.objects('StorageClass').map((one) => one.metadata.name);
  const made = profile.startsWith('k3s');
  if (!version)
    return made
      ? ok(`profile ${profile} on a cluster that is no K3s: works with a storage class that it has`)
      : ELSEWHERE;
  const wanted = storage.storageClass;
  if (storage.enabled && wanted && wanted !== 'local-path' && !classes.includes(wanted))
    return warn(
      `profile ${profile} wants storage class ${wanted}; this is K3s ${version} with ${list(classes) || 'no class'}`,
      {
        object: `StorageClass ${wanted}`,
        cause: 'the profile was made for another kind of cluster',
        fix: 'genai-obs install --profile k3s, or --storage-class local-path',
      },
    );
  return ok(`K3s ${version}, profile ${profile}`);
}

function defaultClass(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  if (!facts.config.storage.enabled) return skip('storage.enabled is false: the stack claims no storage');
  const chosen = facts.config.storage.storageClass;
  const local = facts.objects('StorageClass').find((one) => one['provisioner'] === 'rancher.io/local-path');
  if (local)
    return ok(
      `bundled class ${local.metadata.name}${chosen && chosen !== local.metadata.name ? `; the profile takes ${chosen}` : ' holds the data'}`,
    );
  if (chosen) return ok(`local-path is switched off; the profile takes ${chosen}`);
  return warn('K3s’ bundled storage class local-path is not there', {
    cause: 'K3s runs with --disable local-storage, and the profile names no class of its own',
    fix: 'genai-obs install --storage-class NAME, or start K3s without --disable local-storage',
  });
}

function metrics(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const found = facts.objects('Deployment', 'all').find((one) => one.metadata.name === 'metrics-server');
  const own = facts.config['metrics-server'].enabled;
  if (found)
    return ok(`metrics-server of ${found.metadata.namespace} is used${own ? '; ours is not installed beside it' : ''}`);
  if (own) return ok('K3s runs without its metrics-server; ours is installed');
  return warn('there is no metrics-server', {
    cause: 'K3s runs with --disable metrics-server: kubectl top and autoscaling know nothing',
    fix: 'set metrics-server.enabled: true, or start K3s without --disable metrics-server',
  });
}

/** What of the profile wants an address outside of the cluster. */
function balanced(config: Config): string[] {
  return [
    ...(config.grafana.service.type === 'LoadBalancer' ? ['Grafana'] : []),
    ...(config['opentelemetry-collector'].expose.type === 'LoadBalancer' ? ['the gateway'] : []),
  ];
}

function entry(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const wanting = balanced(facts.config);
  const traefik = facts.objects('Deployment', 'all').some((one) => one.metadata.name === 'traefik');
  const args = serverArgs(facts);
  const off = args && valuesOf(args, '--disable').includes('servicelb');
  const other = facts.objects('DaemonSet', 'all').find((one) => /metallb|kube-vip|speaker/.test(one.metadata.name));
  const bundled = [...(traefik ? ['Traefik'] : []), ...(off ? [] : ['ServiceLB'])];
  if (wanting.length && off && !other)
    return warn(`${wanting.join(' and ')} is of type LoadBalancer, and nothing gives it an address`, {
      cause: 'K3s runs with --disable servicelb, and no other load balancer is there',
      fix: 'use type NodePort, install MetalLB, or start K3s without --disable servicelb',
    });
  return ok(
    `${bundled.length ? `bundled: ${bundled.join(', ')}` : 'no bundled entry'}${other ? `; ${other.metadata.name} gives addresses` : ''}`,
  );
}

function policies(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const args = serverArgs(facts);
  if (!args) return skip('no server node tells its arguments (annotation k3s.io/node-args)');
  const backend = valuesOf(args, '--flannel-backend').at(-1);
  if (backend === 'none') return ok('another network plugin than K3s’ own decides about NetworkPolicies');
  if (!isOn(args, '--disable-network-policy')) return ok('K3s enforces NetworkPolicies: those of the namespaces count');
  return warn('K3s runs with --disable-network-policy: NetworkPolicies are there and protect nothing', {
    cause: 'the controller that enforces them is switched off on a server node',
    fix: 'take --disable-network-policy out of /etc/rancher/k3s/config.yaml and restart k3s',
  });
}

/** Rules on scrape targets that K3s, one process, does not have under these names. */
const INSIDE = ['kube-scheduler', 'kube-controller-manager', 'kube-proxy', 'kube-etcd', 'etcd'];

/** Whether a query selects only such targets in one of its selectors. */
function asksInside(query: string): boolean {
  return matchersOf(query).some(
    ({ label, operator, value }) =>
      label === 'job' && operator.startsWith('=') && value.split('|').every((job) => INSIDE.includes(job)),
  );
}

function rules(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const alerts = loadedRules(facts).filter((rule) => rule.alert);
  const lost = alerts.filter((rule) => asksInside(rule.query)).map((rule) => rule.name);
  if (lost.length === 0)
    return ok(`none of ${alerts.length} alerts asks for scheduler, controller manager, proxy or etcd by themselves`);
  return warn(`${list(lost)} ask for parts that K3s runs in its own process`, {
    cause: 'the rules were made for another kind of cluster: they fire for ever, or never',
    fix: 'switch them off: kube-prometheus-stack.controlPlane: false, or take them out of your rules',
  });
}

function audit(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const args = serverArgs(facts);
  if (!args) return skip('no server node tells its arguments (annotation k3s.io/node-args)');
  const api = valuesOf(args, '--kube-apiserver-arg');
  const log = api.find((one) => one.startsWith('audit-log-path='));
  if (log && api.some((one) => one.startsWith('audit-policy-file=')))
    return ok(`audit log: ${log.slice('audit-log-path='.length)}`);
  return warn('the API server writes no audit log', {
    cause: 'K3s’ default; it is switched on in the servers’ configuration, not through kubectl',
    fix: 'genai-obs harden audit --out ./audit, then follow ./audit/README.md on each server',
  });
}

export const k3sChecks: Check[] = [
  k3s('01', 'The profile fits K3s', {
    about:
      'K3s is known by `+k3s` in its version. A profile that names a storage class of another kind of cluster, such as gp3, is a warning; profile k3s elsewhere is only told.',
    sources: '004-P1-01, 004-P1-05; upstream.md B.5 22',
    reads: [fact.version(), fact.objects('StorageClass')],
    run: fits,
  }),
  k3s('02', 'K3s’ storage class is there', {
    about:
      'K3s brings local-path and makes it the default. Time series and write-ahead logs belong on it, not on NFS. Switched off and no other class named: a warning.',
    sources: '004-P1-05, 004-OPEN-04',
    reads: [fact.version(), fact.objects('StorageClass')],
    run: defaultClass,
  }),
  k3s('03', 'There is one metrics-server', {
    about:
      'K3s brings its own, which is then used: a second one would fight for the same APIService. None at all: a warning.',
    sources: 'upstream.md A.19',
    reads: [fact.version(), fact.objects('Deployment', 'all')],
    run: metrics,
  }),
  k3s('04', 'Services of type LoadBalancer get an address', {
    about:
      'K3s brings Traefik and ServiceLB, which opens the port on every node. Without it, and without another load balancer, such a Service stays pending: a warning.',
    sources: '004-TRB-09; upstream.md B.5 22',
    reads: [fact.version(), fact.objects('Deployment', 'all'), fact.objects('DaemonSet', 'all'), fact.nodes()],
    run: entry,
  }),
  k3s('05', 'NetworkPolicies are enforced', {
    about:
      'K3s enforces them, unless a server runs with --disable-network-policy. The nodes’ annotation k3s.io/node-args tells.',
    sources: 'upstream.md A.2, B.5 22',
    reads: [fact.version(), fact.nodes()],
    run: policies,
  }),
  k3s('06', 'No alert asks for what K3s keeps to itself', {
    stage: 'stack',
    about:
      'Scheduler, controller manager, proxy and etcd run inside of the k3s process: rules on their own scrape jobs fire for ever or never.',
    sources: 'upstream.md B.5 22',
    reads: [fact.version(), RULES],
    dependsOn: ['PROM-03'],
    skipIf: (config) => (config.prometheus.enabled ? undefined : 'prometheus.enabled is false'),
    run: rules,
  }),
  k3s('07', 'The API server’s audit log is on', {
    stage: 'stack',
    about:
      'K3s has it off. `genai-obs harden audit` writes the policy, the servers’ settings and the steps; the nodes’ annotation k3s.io/node-args tells whether they are in place.',
    sources: '004-SEC-03; upstream.md B.5 21',
    reads: [fact.version(), fact.nodes()],
    run: audit,
  }),
];

import { checksOf, type Verdict, type Area, ok, warn, skip } from './lib/check.ts';
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

const ELSEWHERE = skip('the cluster is not K3s');

/** Arguments of all servers, including config.yaml, from an annotation of their nodes; undefined without one. */
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
      ? ok(`profile ${profile} on a cluster that is not K3s: works with any existing StorageClass`)
      : ELSEWHERE;
  const wanted = storage.storageClass;
  if (storage.enabled && wanted && wanted !== 'local-path' && !classes.includes(wanted))
    return warn(
      `profile ${profile} wants StorageClass ${wanted}; this is K3s ${version} with ${list(classes) || 'no class'}`,
      {
        object: `StorageClass ${wanted}`,
        cause: 'the profile is for another kind of cluster',
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
  if (local) {
    const { name } = local.metadata;
    const use = chosen && chosen !== name ? `the profile uses ${chosen}` : 'it holds the data';
    return ok(`bundled class ${name}; ${use}`);
  }
  if (chosen) return ok(`local-path is disabled; the profile uses ${chosen}`);
  return warn('the StorageClass local-path of K3s does not exist', {
    cause: 'K3s runs with --disable local-storage, and the profile names no class of its own',
    fix: 'genai-obs install --storage-class NAME, or start K3s without --disable local-storage',
  });
}

function metrics(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const found = facts.objects('Deployment', 'all').find((one) => one.metadata.name === 'metrics-server');
  const own = facts.config['metrics-server'].enabled;
  if (found) return ok(`metrics-server of ${found.metadata.namespace} is used${own ? '; ours is not installed' : ''}`);
  if (own) return ok('K3s runs without its metrics-server; ours is installed');
  return warn('there is no metrics-server', {
    cause: 'K3s runs with --disable metrics-server: kubectl top and autoscaling do not work',
    fix: 'set metrics-server.enabled: true, or start K3s without --disable metrics-server',
  });
}

/** Services of the profile that need an external address. */
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
    return warn(`${wanting.join(' and ')} is of type LoadBalancer, and nothing assigns an address`, {
      cause: 'K3s runs with --disable servicelb, and there is no other load balancer',
      fix: 'use type NodePort, install MetalLB, or start K3s without --disable servicelb',
    });
  const own = bundled.length ? `bundled: ${bundled.join(', ')}` : 'no bundled load balancer';
  return ok(other ? `${own}; ${other.metadata.name} assigns addresses` : own);
}

function policies(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const args = serverArgs(facts);
  if (!args) return skip('no server node reports its arguments (annotation k3s.io/node-args)');
  const backend = valuesOf(args, '--flannel-backend').at(-1);
  if (backend === 'none') return ok('a network plugin other than that of K3s enforces NetworkPolicies');
  if (!isOn(args, '--disable-network-policy')) return ok('K3s enforces NetworkPolicies');
  return warn('K3s runs with --disable-network-policy: NetworkPolicies have no effect', {
    cause: 'the controller that enforces them is disabled on a server node',
    fix: 'remove --disable-network-policy from /etc/rancher/k3s/config.yaml and restart k3s',
  });
}

/** Scrape jobs that K3s lacks, because it is one process. */
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
    return ok(`none of ${alerts.length} alerts selects a job of scheduler, controller manager, proxy or etcd`);
  return warn(`${list(lost)} select jobs of components that K3s runs in its own process`, {
    cause: 'the rules are for another kind of cluster: they fire permanently or never',
    fix: 'disable them: kube-prometheus-stack.controlPlane: false, or remove them from your rules',
  });
}

function audit(facts: Facts): Verdict {
  if (!versionOf(facts)) return ELSEWHERE;
  const args = serverArgs(facts);
  if (!args) return skip('no server node reports its arguments (annotation k3s.io/node-args)');
  const api = valuesOf(args, '--kube-apiserver-arg');
  const log = api.find((one) => one.startsWith('audit-log-path='));
  if (log && api.some((one) => one.startsWith('audit-policy-file=')))
    return ok(`audit log: ${log.slice('audit-log-path='.length)}`);
  return warn('the API server writes no audit log', {
    cause: 'the default of K3s; it is enabled in the configuration of the servers, not through kubectl',
    fix: 'genai-obs harden audit --out ./audit, then follow ./audit/README.md on each server',
  });
}

export const k3sArea: Area = {
  id: 'K3S',
  title: 'K3s',
  about: 'What K3s adds or does differently. Skipped on any other Kubernetes.',
  checks: [
    k3s('01', 'The profile fits K3s', {
      about:
        'K3s is recognised by `+k3s` in the server version. Warning: the profile names a StorageClass of ' +
        'another kind of cluster, such as gp3. Profile k3s on another Kubernetes is reported and is ok.',
      sources: '004-P1-01, 004-P1-05',
      reads: [fact.version(), fact.objects('StorageClass')],
      run: fits,
    }),
    k3s('02', 'The StorageClass of K3s exists', {
      about:
        'K3s installs local-path as the default StorageClass. Time series and write-ahead logs belong on ' +
        'it, not on NFS. Warning: it is disabled and the profile names no other class.',
      sources: '004-P1-05, 004-OPEN-04',
      reads: [fact.version(), fact.objects('StorageClass')],
      run: defaultClass,
    }),
    k3s('03', 'There is one metrics-server', {
      about:
        'K3s has a metrics-server of its own, which is used: a second one would compete for the same ' +
        'APIService. Warning: there is none.',
      sources: 'genai-obs',
      reads: [fact.version(), fact.objects('Deployment', 'all')],
      run: metrics,
    }),
    k3s('04', 'Services of type LoadBalancer get an address', {
      about:
        'K3s has Traefik and ServiceLB, which opens the port on every node. Warning: the profile has a ' +
        'Service of type LoadBalancer, ServiceLB is disabled and no other load balancer exists; the ' +
        'address stays pending.',
      sources: '004-TRB-09',
      reads: [fact.version(), fact.objects('Deployment', 'all'), fact.objects('DaemonSet', 'all'), fact.nodes()],
      run: entry,
    }),
    k3s('05', 'NetworkPolicies are enforced', {
      about:
        'Reads the server arguments in the node annotation k3s.io/node-args. K3s enforces NetworkPolicies ' +
        'by default. Warning: a server runs with --disable-network-policy, so that policies have no effect.',
      sources: 'genai-obs',
      reads: [fact.version(), fact.nodes()],
      run: policies,
    }),
    k3s('06', 'No alert needs a scrape job that K3s lacks', {
      stage: 'stack',
      about:
        'In K3s the scheduler, controller manager, proxy and etcd run inside the k3s process. Warning: an ' +
        'alert selects one of their own scrape jobs, so that it fires permanently or never. Disable those ' +
        'rules.',
      sources: 'genai-obs',
      reads: [fact.version(), RULES],
      dependsOn: ['PROM-03'],
      skipIf: (config) => (config.prometheus.enabled ? undefined : 'prometheus.enabled is false'),
      run: rules,
    }),
    k3s('07', 'The audit log of the API server is on', {
      stage: 'stack',
      about:
        'Reads the server arguments in the node annotation k3s.io/node-args; K3s writes no audit log by ' +
        'default. Warning: it is off. `genai-obs harden audit` writes the policy, the server settings and ' +
        'the steps.',
      sources: '004-SEC-03',
      reads: [fact.version(), fact.nodes()],
      run: audit,
    }),
  ],
};

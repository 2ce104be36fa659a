import { type Config, isEnabled, namespaceOf } from './schema.ts';
import { hoursIn, mebibytes, secondsIn } from './values.ts';

/** What a setting means together with others: asked after the schema, answered in plain words. */
export interface Rule {
  /** The setting that is shown, with its line. */
  key: string;
  when: (config: Config) => boolean;
  message: string;
  /** What to do. */
  next: string;
}

const usesS3 = (config: Config): boolean => config.storage.s3.enabled;
/** SeaweedFS in the cluster knows its own address, buckets and keys. */
const foreignS3 = (config: Config): boolean =>
  usesS3(config) && (!config.seaweedfs.enabled || config.storage.s3.endpoint !== '');
const homeOf = (config: Config, id: 'loki' | 'tempo' | 'seaweedfs'): string => config[id].namespace || config.namespace;
const hasSeveral = (names: string[]): boolean => new Set(names).size > 1;
const hasDuplicates = (names: string[]): boolean => new Set(names).size < names.length;
const COLLECTORS = [
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
] as const;
/** Without a gateway there is nothing to protect. */
const usesMtls = (config: Config): boolean => config['opentelemetry-collector'].enabled && config.security.mtls.enabled;
const forgetsMonths = ({ prometheus }: Config): boolean =>
  prometheus.enabled && hoursIn(prometheus.server.retention) < 30 * 24;
const INGRESSES = ['grafana', 'prometheus', 'opentelemetry-collector'] as const;

export const RULES: Rule[] = [
  {
    key: 'storage.s3.endpoint',
    when: (config) => foreignS3(config) && config.storage.s3.endpoint === '',
    message: 'is needed with storage.s3.enabled: Loki and Tempo must know where the buckets are',
    next: 'for example s3.eu-central-1.amazonaws.com; or have S3 in the cluster: seaweedfs: { enabled: true }',
  },
  {
    key: 'storage.s3.secret',
    when: (config) => foreignS3(config) && config.storage.s3.secret === '',
    message: 'is needed with storage.s3.enabled: keys belong into a Secret, not into a profile',
    next: 'kubectl create secret generic s3-credentials --from-file=access-key=FILE --from-file=secret-key=FILE, and name it here',
  },
  {
    key: 'storage.s3.buckets',
    when: (config) =>
      foreignS3(config) &&
      ((config.loki.enabled && !config.storage.s3.buckets.loki) ||
        (config.tempo.enabled && !config.storage.s3.buckets.tempo)),
    message: 'must name a bucket for loki and one for tempo: neither of them makes buckets',
    next: 'storage: { s3: { buckets: { loki: NAME, tempo: NAME } } }',
  },
  {
    key: 'storage.s3.buckets.tempo',
    when: ({ storage: { s3 } }) => s3.enabled && s3.buckets.loki !== '' && s3.buckets.loki === s3.buckets.tempo,
    message: 'is Loki’s bucket too: Tempo takes every folder in it for a tenant',
    next: 'give each a bucket of its own',
  },
  {
    key: 'seaweedfs.enabled',
    when: (config) => config.seaweedfs.enabled && (!usesS3(config) || config.storage.s3.endpoint !== ''),
    message: 'brings S3 that nobody uses',
    next: 'storage: { s3: { enabled: true, endpoint: "" } }, or leave SeaweedFS out',
  },
  {
    key: 'seaweedfs.namespace',
    when: (config) =>
      config.seaweedfs.enabled &&
      (['loki', 'tempo'] as const).some(
        (id) => config[id].enabled && homeOf(config, id) !== homeOf(config, 'seaweedfs'),
      ),
    message: 'must be that of Loki and Tempo: they read one Secret, and Secrets do not cross namespaces',
    next: 'give seaweedfs, loki and tempo the same namespace',
  },
  {
    key: 'storage.s3.enabled',
    when: (config) =>
      usesS3(config) &&
      config.loki.enabled &&
      config.tempo.enabled &&
      homeOf(config, 'loki') !== homeOf(config, 'tempo'),
    message: 'wants Loki and Tempo in one namespace: they read one Secret',
    next: 'give loki and tempo the same namespace',
  },
  {
    key: 'storage.storageClass',
    when: (config) =>
      config['csi-driver-nfs'].enabled &&
      config.storage.enabled &&
      config.storage.storageClass === config['csi-driver-nfs'].storageClass &&
      (['prometheus', 'loki', 'tempo'] as const).some((id) => config[id].enabled),
    message:
      'is on NFS: the databases of Prometheus, Loki and Tempo lose data there (Prometheus’ documentation: no NFS)',
    next: 'choose a class on local or block storage here; Grafana alone may have NFS: grafana: { storageClass: … }',
  },
  {
    key: 'csi-driver-nfs.server',
    when: (config) => config['csi-driver-nfs'].enabled && config['csi-driver-nfs'].server === '',
    message: 'is needed: the host name or address of the NFS server',
    next: 'csi-driver-nfs: { server: nfs.example.com, share: /exports/observability }',
  },
  {
    key: 'grafana.replicas',
    when: (config) => config.grafana.replicas > 1,
    message:
      'can only be 1: its database is SQLite on one volume, several Grafanas would each have their own users and alerts',
    next: 'more than one needs a shared PostgreSQL or MySQL, which this profile does not set up; one serves hundreds of people with size: L',
  },
  {
    key: 'prometheus.server.replicaCount',
    when: (config) => config.prometheus.server.replicaCount > 1,
    message: 'can only be 1: several would write into one volume, or each count alone',
    next: 'give the one more: size: L; for high availability send to a remote store',
  },
  {
    key: 'prometheus.server.retentionSize',
    when: ({ prometheus: { server }, storage }) =>
      storage.enabled && server.retentionSize !== '' && mebibytes(server.retentionSize) >= mebibytes(server.size),
    message: 'is not less than the claim (prometheus.server.size): the volume would be full before the oldest data go',
    next: 'take about four fifths of the claim: 40GB for a claim of 50Gi; Prometheus counts GB as Gi',
  },
  {
    key: 'prometheus.server.scrapeInterval',
    when: ({ prometheus: { server } }) => secondsIn(server.scrapeInterval) > 60,
    message: 'is more than a minute: rules and dashboards look at five minutes and would find too few samples there',
    next: 'prometheus: { server: { scrapeInterval: 60s } }',
  },
  {
    key: 'genai.cost.monthlyLimit',
    when: (config) => config.genai.cost.monthlyLimit > 0 && forgetsMonths(config),
    message: 'needs metrics of 30 days: what Prometheus has forgotten would count as not spent',
    next: 'prometheus: { server: { retention: 31d } }, or --retention 31d',
  },
  {
    key: 'genai.genops.monthlyBudgets',
    when: (config) =>
      config.genai.genops.enabled &&
      Object.values(config.genai.genops.monthlyBudgets).some((limit) => limit > 0) &&
      forgetsMonths(config),
    message: 'needs metrics of 30 days: what Prometheus has forgotten would count as not spent',
    next: 'prometheus: { server: { retention: 31d } }, or --retention 31d',
  },
  {
    key: 'opentelemetry-collector.autoscaling.minReplicas',
    when: ({ 'opentelemetry-collector': { autoscaling } }) =>
      autoscaling.enabled && autoscaling.minReplicas > autoscaling.maxReplicas,
    message: 'is more than maxReplicas',
    next: 'minReplicas must not be above maxReplicas',
  },
  {
    key: 'opentelemetry-collector.ingress.host',
    when: ({ 'opentelemetry-collector': gateway }) => gateway.ingress.host !== '' && gateway.chart !== 'genai-obs',
    message: 'needs the gateway of genai-obs’ own chart: the operator would publish every port',
    next: 'opentelemetry-collector: { chart: genai-obs }',
  },
  ...INGRESSES.flatMap((id): Rule[] => [
    {
      key: `${id}.ingress.tlsSecret`,
      when: (config) => config[id].ingress.issuer !== '' && config[id].ingress.tlsSecret === '',
      message: 'is needed with an issuer: cert-manager puts the certificate there',
      next: `${id}: { ingress: { tlsSecret: ${id}-tls } }`,
    },
    {
      key: `${id}.ingress.host`,
      when: ({ [id]: { ingress } }) =>
        ingress.host === '' && (ingress.tlsSecret !== '' || ingress.issuer !== '' || ingress.className !== ''),
      message: 'is needed: without a host there is no Ingress, whatever else is said about it',
      next: `${id}: { ingress: { host: ${id}.example.com } }`,
    },
  ]),
  {
    key: 'grafana.contactPoint',
    when: ({ grafana, alertmanager }) => grafana.enabled && grafana.contactPoint && !alertmanager.enabled,
    message: 'leads to Alertmanager, which is off',
    next: 'alertmanager: { enabled: true }, or set up contact points in Grafana',
  },
  {
    key: 'grafana.gatewayProxy.upstream',
    when: ({ grafana: { gatewayProxy } }) => gatewayProxy.enabled && gatewayProxy.upstream === '',
    message: 'is needed: host and port of the platform’s gateway',
    next: 'with the full name, nginx knows no search domains: gateway.platform.svc.cluster.local:8000',
  },
  {
    key: 'teams',
    when: ({ teams }) =>
      hasDuplicates(teams.map(({ namespace }) => namespace)) || hasDuplicates(teams.map(({ name }) => name)),
    message: 'names a team or a namespace twice: a pod is of one team',
    next: 'one entry per team, each with a namespace of its own',
  },
  {
    key: 'cloudwatch-exporter.regions',
    when: (config) => config['cloudwatch-exporter'].enabled && config['cloudwatch-exporter'].regions.length === 0,
    message: 'is needed: CloudWatch is asked per region',
    next: 'cloudwatch-exporter: { regions: [us-west-2] }',
  },
  {
    key: 'cloudwatch-exporter.roleArn',
    when: ({ 'cloudwatch-exporter': { enabled, roleArn, secret } }) => enabled && (roleArn === '') === (secret === ''),
    message: 'or secret is needed, one of them: CloudWatch must know who asks',
    next: 'cloudwatch-exporter: { roleArn: arn:aws:iam::ACCOUNT:role/NAME }, or secret: NAME of a Secret with access_key and secret_key',
  },
  {
    key: 'security.mtls.enabled',
    when: (config) => usesMtls(config) && !config['cert-manager'].enabled && !config['cert-manager'].existing,
    message: 'needs cert-manager, which makes its certificates',
    next: 'cert-manager: { enabled: true }, or { existing: true } where the cluster has one',
  },
  {
    key: 'security.mtls.enabled',
    when: (config) =>
      usesMtls(config) &&
      hasSeveral(COLLECTORS.filter((id) => isEnabled(config, id)).map((id) => namespaceOf(config, id))),
    message: 'needs all collectors in one namespace: they share an authority',
    next: 'give the three collectors the same namespace',
  },
  {
    key: 'opentelemetry-collector.ingress.host',
    when: (config) =>
      usesMtls(config) &&
      config.security.mtls.mode === 'strict' &&
      config['opentelemetry-collector'].ingress.host !== '',
    message: 'would lead to plain OTLP, which security.mtls.mode strict closes',
    next: 'take mode external, or opentelemetry-collector.expose in place of the Ingress',
  },
  {
    key: 'security.ingest.tokenSecret',
    when: ({ 'opentelemetry-collector': gateway, security: { mtls, ingest } }) =>
      gateway.enabled && ingest.tokenSecret !== '' && !mtls.enabled && ingest.tlsSecret === '',
    message: 'without TLS would show the token to everybody',
    next: 'security: { mtls: { enabled: true } }, or security: { ingest: { tlsSecret: NAME } }',
  },
  {
    key: 'opentelemetry-collector.expose.type',
    when: ({ 'opentelemetry-collector': gateway, security: { mtls, ingest } }) =>
      gateway.enabled && gateway.expose.type !== 'ClusterIP' && !mtls.enabled && ingest.tokenSecret === '',
    message: 'would let anybody send to the gateway, unencrypted',
    next: 'security: { mtls: { enabled: true } }, or security: { ingest: { tokenSecret: NAME, tlsSecret: NAME } }',
  },
  {
    key: 'opentelemetry-collector.expose.nodePorts',
    when: ({ 'opentelemetry-collector': { enabled, expose } }) =>
      enabled && expose.type === 'ClusterIP' && (expose.nodePorts.grpc !== 0 || expose.nodePorts.http !== 0),
    message: 'has no effect with type ClusterIP',
    next: 'opentelemetry-collector: { expose: { type: NodePort } }',
  },
];

/** The first rule that a configuration breaks. */
export function brokenRule(config: Config): Rule | undefined {
  return RULES.find((rule) => rule.when(config));
}

import { COLLECTOR_IDS, type Config, isEnabled, namespaceOf } from './schema.ts';
import { hoursIn, mebibytes, secondsIn } from './values.ts';

/** A constraint between settings, checked after the schema. */
export interface Rule {
  /** The setting to report, with its line. */
  key: string;
  when: (config: Config) => boolean;
  message: string;
  next: string;
}

const usesS3 = (config: Config): boolean => config.storage.s3.enabled;
/** For SeaweedFS in the cluster, address, buckets and keys are known. */
const externalS3 = (config: Config): boolean =>
  usesS3(config) && (!config.seaweedfs.enabled || config.storage.s3.endpoint !== '');
const homeOf = (config: Config, id: 'loki' | 'tempo' | 'seaweedfs'): string => config[id].namespace || config.namespace;
const hasSeveral = (names: string[]): boolean => new Set(names).size > 1;
const hasDuplicates = (names: string[]): boolean => new Set(names).size < names.length;
/** Without a gateway, mutual TLS has no effect. */
const usesMtls = (config: Config): boolean => config['opentelemetry-collector'].enabled && config.security.mtls.enabled;
const forgetsMonths = ({ prometheus }: Config): boolean =>
  prometheus.enabled && hoursIn(prometheus.server.retention) < 30 * 24;
const INGRESSES = ['grafana', 'prometheus', 'opentelemetry-collector'] as const;

export const RULES: Rule[] = [
  {
    key: 'storage.s3.endpoint',
    when: (config) => externalS3(config) && config.storage.s3.endpoint === '',
    message: 'is required with storage.s3.enabled: Loki and Tempo need the address of the buckets',
    next: 'for example s3.eu-central-1.amazonaws.com; for S3 in the cluster: seaweedfs: { enabled: true }',
  },
  {
    key: 'storage.s3.secret',
    when: (config) => externalS3(config) && config.storage.s3.secret === '',
    message: 'is required with storage.s3.enabled: keys belong in a Secret, not in a profile',
    next:
      'kubectl create secret generic s3-credentials --from-file=access-key=FILE --from-file=secret-key=FILE, ' +
      'then set its name here',
  },
  {
    key: 'storage.s3.buckets',
    when: (config) =>
      externalS3(config) &&
      ((config.loki.enabled && !config.storage.s3.buckets.loki) ||
        (config.tempo.enabled && !config.storage.s3.buckets.tempo)),
    message: 'must name a bucket for loki and one for tempo: neither creates buckets',
    next: 'storage: { s3: { buckets: { loki: NAME, tempo: NAME } } }',
  },
  {
    key: 'storage.s3.buckets.tempo',
    when: ({ storage: { s3 } }) => s3.enabled && s3.buckets.loki !== '' && s3.buckets.loki === s3.buckets.tempo,
    message: 'is also Loki’s bucket: Tempo treats every folder in it as a tenant',
    next: 'use a separate bucket for each',
  },
  {
    key: 'seaweedfs.enabled',
    when: (config) => config.seaweedfs.enabled && (!usesS3(config) || config.storage.s3.endpoint !== ''),
    message: 'has no effect: storage.s3 does not use it',
    next: 'storage: { s3: { enabled: true, endpoint: "" } }, or seaweedfs: { enabled: false }',
  },
  {
    key: 'seaweedfs.namespace',
    when: (config) =>
      config.seaweedfs.enabled &&
      (['loki', 'tempo'] as const).some(
        (id) => config[id].enabled && homeOf(config, id) !== homeOf(config, 'seaweedfs'),
      ),
    message: 'must be the namespace of Loki and Tempo: all three read the same Secret',
    next: 'give seaweedfs, loki and tempo the same namespace',
  },
  {
    key: 'storage.s3.enabled',
    when: (config) =>
      usesS3(config) &&
      config.loki.enabled &&
      config.tempo.enabled &&
      homeOf(config, 'loki') !== homeOf(config, 'tempo'),
    message: 'requires Loki and Tempo in one namespace: they read the same Secret',
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
      'is on NFS: the databases of Prometheus, Loki and Tempo lose data there ' +
      '(https://prometheus.io/docs/prometheus/latest/storage/)',
    next: 'choose a class on local or block storage; only Grafana may use NFS: grafana: { storageClass: … }',
  },
  {
    key: 'csi-driver-nfs.server',
    when: (config) => config['csi-driver-nfs'].enabled && config['csi-driver-nfs'].server === '',
    message: 'is required: the host name or address of the NFS server',
    next: 'csi-driver-nfs: { server: nfs.example.com, share: /exports/observability }',
  },
  {
    key: 'grafana.replicas',
    when: (config) => config.grafana.replicas > 1,
    message: 'must be 1: its database is SQLite on one volume; further replicas would have other users and alerts',
    next:
      'size: L serves hundreds of people with one replica; more replicas need PostgreSQL or MySQL, ' +
      'which genai-obs does not configure',
  },
  {
    key: 'prometheus.server.replicaCount',
    when: (config) => config.prometheus.server.replicaCount > 1,
    message: 'must be 1: several would write to one volume',
    next: 'for more capacity: size: L; for high availability: prometheus.server.remoteWrite',
  },
  {
    key: 'prometheus.server.retentionSize',
    when: ({ prometheus: { server }, storage }) =>
      storage.enabled && server.retentionSize !== '' && mebibytes(server.retentionSize) >= mebibytes(server.size),
    message:
      'is not less than the claim (prometheus.server.size): the volume would fill before the oldest data are deleted',
    next: 'use about 80 % of the claim: 40GB for a claim of 50Gi; Prometheus’ GB is Gi',
  },
  {
    key: 'prometheus.server.scrapeInterval',
    when: ({ prometheus: { server } }) => secondsIn(server.scrapeInterval) > 60,
    message: 'is more than 60s: rules and dashboards need several samples in each window of 5 minutes',
    next: 'prometheus: { server: { scrapeInterval: 60s } }',
  },
  {
    key: 'genai.cost.monthlyLimit',
    when: (config) => config.genai.cost.monthlyLimit > 0 && forgetsMonths(config),
    message: 'requires 30 days of metrics: Prometheus would not count older spending',
    next: 'prometheus: { server: { retention: 31d } }, or --retention 31d',
  },
  {
    key: 'genai.genops.monthlyBudgets',
    when: (config) =>
      config.genai.genops.enabled &&
      Object.values(config.genai.genops.monthlyBudgets).some((limit) => limit > 0) &&
      forgetsMonths(config),
    message: 'requires 30 days of metrics: Prometheus would not count older spending',
    next: 'prometheus: { server: { retention: 31d } }, or --retention 31d',
  },
  {
    key: 'opentelemetry-collector.autoscaling.minReplicas',
    when: ({ 'opentelemetry-collector': { autoscaling } }) =>
      autoscaling.enabled && autoscaling.minReplicas > autoscaling.maxReplicas,
    message: 'is more than maxReplicas',
    next: 'lower minReplicas, or raise maxReplicas',
  },
  {
    key: 'opentelemetry-collector.ingress.host',
    when: ({ 'opentelemetry-collector': gateway }) => gateway.ingress.host !== '' && gateway.chart !== 'genai-obs',
    message: 'requires the gateway of genai-obs’ own chart: the operator would publish every port',
    next: 'opentelemetry-collector: { chart: genai-obs }',
  },
  ...INGRESSES.flatMap((id): Rule[] => [
    {
      key: `${id}.ingress.tlsSecret`,
      when: (config) => config[id].ingress.issuer !== '' && config[id].ingress.tlsSecret === '',
      message: 'is required with an issuer: cert-manager writes the certificate to this Secret',
      next: `${id}: { ingress: { tlsSecret: ${id}-tls } }`,
    },
    {
      key: `${id}.ingress.host`,
      when: ({ [id]: { ingress } }) =>
        ingress.host === '' && (ingress.tlsSecret !== '' || ingress.issuer !== '' || ingress.className !== ''),
      message: 'is required: without a host there is no Ingress, and its other settings have no effect',
      next: `${id}: { ingress: { host: ${id}.example.com } }`,
    },
  ]),
  {
    key: 'grafana.contactPoint',
    when: ({ grafana, alertmanager }) => grafana.enabled && grafana.contactPoint && !alertmanager.enabled,
    message: 'sends alerts to Alertmanager, which is disabled',
    next: 'alertmanager: { enabled: true }, or configure contact points in Grafana',
  },
  {
    key: 'grafana.gatewayProxy.upstream',
    when: ({ grafana: { gatewayProxy } }) => gatewayProxy.enabled && gatewayProxy.upstream === '',
    message: 'is required: host and port of the platform’s gateway',
    next: 'use the fully qualified name, because nginx has no search domains: gateway.platform.svc.cluster.local:8000',
  },
  {
    key: 'teams',
    when: ({ teams }) =>
      hasDuplicates(teams.map(({ namespace }) => namespace)) || hasDuplicates(teams.map(({ name }) => name)),
    message: 'lists a team or a namespace twice: a pod belongs to one team',
    next: 'use one entry per team, each with its own namespace',
  },
  {
    key: 'cloudwatch-exporter.regions',
    when: (config) => config['cloudwatch-exporter'].enabled && config['cloudwatch-exporter'].regions.length === 0,
    message: 'is required: CloudWatch is queried per region',
    next: 'cloudwatch-exporter: { regions: [us-west-2] }',
  },
  {
    key: 'cloudwatch-exporter.roleArn',
    when: ({ 'cloudwatch-exporter': { enabled, roleArn, secret } }) => enabled && (roleArn === '') === (secret === ''),
    message: 'or secret is required, but not both: CloudWatch needs credentials',
    next:
      'cloudwatch-exporter: { roleArn: arn:aws:iam::ACCOUNT:role/NAME }, ' +
      'or { secret: NAME } of a Secret with access_key and secret_key',
  },
  {
    key: 'security.mtls.enabled',
    when: (config) => usesMtls(config) && !config['cert-manager'].enabled && !config['cert-manager'].existing,
    message: 'requires cert-manager, which issues the certificates',
    next: 'cert-manager: { enabled: true }, or { existing: true } if the cluster has one',
  },
  {
    key: 'security.mtls.enabled',
    when: (config) =>
      usesMtls(config) &&
      hasSeveral(COLLECTOR_IDS.filter((id) => isEnabled(config, id)).map((id) => namespaceOf(config, id))),
    message: 'requires all collectors in one namespace: they share a CA',
    next: 'give the three collectors the same namespace',
  },
  {
    key: 'opentelemetry-collector.ingress.host',
    when: (config) =>
      usesMtls(config) &&
      config.security.mtls.mode === 'strict' &&
      config['opentelemetry-collector'].ingress.host !== '',
    message: 'would route to plain OTLP, which security.mtls.mode strict closes',
    next: 'use mode external, or opentelemetry-collector.expose instead of the Ingress',
  },
  {
    key: 'security.ingest.tokenSecret',
    when: ({ 'opentelemetry-collector': gateway, security: { mtls, ingest } }) =>
      gateway.enabled && ingest.tokenSecret !== '' && !mtls.enabled && ingest.tlsSecret === '',
    message: 'without TLS would send the token in clear text',
    next: 'security: { mtls: { enabled: true } }, or security: { ingest: { tlsSecret: NAME } }',
  },
  {
    key: 'opentelemetry-collector.expose.type',
    when: ({ 'opentelemetry-collector': gateway, security: { mtls, ingest } }) =>
      gateway.enabled && gateway.expose.type !== 'ClusterIP' && !mtls.enabled && ingest.tokenSecret === '',
    message: 'would let anyone send to the gateway, unencrypted',
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

export const brokenRule = (config: Config): Rule | undefined => RULES.find((rule) => rule.when(config));

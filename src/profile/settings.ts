import { ADDON_IDS, COMPONENT_IDS } from './schema.ts';

const ingress = (id: string, host: string): Record<string, string> => ({
  [`${id}.ingress.host`]: `Host name of an Ingress to ${host}; empty: no Ingress.`,
  [`${id}.ingress.className`]: 'IngressClass; empty: the cluster’s default class.',
  [`${id}.ingress.tlsSecret`]: 'Secret with the TLS certificate; empty: no TLS.',
  [`${id}.ingress.issuer`]: 'ClusterIssuer of cert-manager that issues this certificate.',
  [`${id}.ingress.annotations`]: 'Additional annotations of the Ingress.',
});

/** Source of docs/configuration.md. `<component>` and `<addon>` stand for all that have no line of their own. */
export const SETTINGS: Record<string, string> = {
  profile: 'Name of the profile that the configuration starts from.',
  namespace: 'Namespace of the stack; created if it does not exist.',
  size:
    'Requests, limits and claims of every component, from templates/sizes.yaml: `S`, `M` or `L`; ' +
    'empty: small, for a trial. A claim set in the same or a later file takes precedence.',
  'global.environment': 'Attributes `deployment.environment` and `deployment.environment.name` of all telemetry.',
  'global.clusterName': 'Attribute `k8s.cluster.name` of all telemetry, label `cluster` of alerts.',
  'global.imageRegistry':
    'Replaces the registry host of every image: ' +
    '`registry.example/mirror` gives `registry.example/mirror/grafana/loki:3.7.6`.',
  'global.charts':
    'Source of upstream charts: a folder of archives, or `https://…` or `oci://…` of a mirror; ' +
    'empty: the upstream repositories.',
  '<component>.chart':
    'Chart of the component: `genai-obs` is our own, another name is the upstream chart. ' +
    '`opentelemetry-operator`: that operator creates it from a custom resource.',
  '<component>.namespace': 'Namespace of this component; empty: the namespace of the stack.',
  'storage.enabled': '`false`: no claims; data are lost when a pod is deleted (emptyDir).',
  'storage.storageClass': 'StorageClass of all claims; empty: the cluster’s default class.',
  'storage.s3.enabled':
    'Store logs and traces in object storage; the claims then hold only write-ahead logs. ' +
    'Choose before the first install, because existing data are not moved.',
  'storage.s3.endpoint': '`host` or `host:port`; leave empty for SeaweedFS in the cluster.',
  'storage.s3.region': 'Region of the buckets.',
  'storage.s3.buckets.loki': 'Bucket for logs.',
  'storage.s3.buckets.tempo': 'Bucket for traces.',
  'storage.s3.forcePathStyle':
    'Address buckets as `host/bucket` instead of `bucket.host`; most stores besides AWS require it.',
  'storage.s3.insecure': 'Use HTTP instead of TLS.',
  'storage.s3.secret':
    'Secret with the keys `access-key` and `secret-key`, in the namespace of Loki and Tempo; ' +
    'with SeaweedFS it is created.',
  'opentelemetry-collector.enabled': 'Gateway: receives OTLP, enriches, derives span metrics, samples and exports.',
  'opentelemetry-collector.replicaCount': 'Replicas of the gateway.',
  'opentelemetry-collector.autoscaling.enabled': 'Scale the gateway with its load; requires metrics-server.',
  'opentelemetry-collector.autoscaling.minReplicas': 'Minimum number of replicas.',
  'opentelemetry-collector.autoscaling.maxReplicas': 'Maximum number of replicas.',
  'opentelemetry-collector.autoscaling.cpuPercent':
    'Target for average CPU use, in percent of the request; above it a replica is added.',
  'opentelemetry-collector.autoscaling.memoryPercent': 'Target for average memory use, in percent of the request.',
  'opentelemetry-collector.spread':
    'Spread over nodes and zones: `ScheduleAnyway`, or `DoNotSchedule`, which leaves a replica pending if no zone ' +
    'is free.',
  'opentelemetry-collector.batch':
    'When the gateway sends a batch: `low-latency` (1 s or 2048 items), `balanced` (10 s or 1024) or ' +
    '`throughput` (10 s or 10000; requires a `size`, and a crash loses more).',
  ...ingress('opentelemetry-collector', 'the gateway for OTLP over HTTP, paths `/v1/…`'),
  'opentelemetry-collector.expose.type':
    'Service `otel-ingest` for senders outside the cluster: `ClusterIP` (no such Service), `NodePort` or ' +
    '`LoadBalancer`; requires mutual TLS or a token.',
  'opentelemetry-collector.expose.nodePorts.grpc':
    'Node port for OTLP gRPC, 30000 to 32767; 0: Kubernetes chooses one.',
  'opentelemetry-collector.expose.nodePorts.http':
    'Node port for OTLP HTTP, 30000 to 32767; 0: Kubernetes chooses one.',
  'opentelemetry-node-collector.enabled': 'One collector per node: container logs, host and kubelet metrics.',
  'opentelemetry-cluster-collector.enabled': 'One collector per cluster: cluster metrics and Kubernetes events.',
  'prometheus.enabled': 'Stores metrics and evaluates rules.',
  'prometheus.server.retention': 'How long metrics are kept.',
  'prometheus.server.retentionSize':
    'Maximum size of the stored metrics, for example `50GB`: the oldest are deleted first. ' +
    'Must be less than the claim; empty: no maximum.',
  'prometheus.server.size': 'Size of the claim.',
  'prometheus.server.replicaCount': 'Always 1: several would write to one volume.',
  'prometheus.server.scrapeInterval':
    'Interval of all scrapes, at most `60s`, because rules evaluate windows of five minutes.',
  'prometheus.server.remoteWrite':
    'Targets that get a copy of every sample: ' +
    '`[{url, tenant, secret: {name, usernameKey, passwordKey, tokenKey}}]`. `tenant` is for Mimir; ' +
    '`tokenKey` selects a bearer token instead of user and password. The Secret is in Prometheus’ namespace.',
  'prometheus.cadvisor': 'Scrape cAdvisor of the kubelets: `container_*` series per container.',
  ...ingress('prometheus', 'Prometheus'),
  'alertmanager.enabled': 'Routes alerts to receivers.',
  'alertmanager.size': 'Size of the claim.',
  'alertmanager.notify':
    'Receivers of notifications: `slack: {secret, key, channel, channels}`, `pagerduty: {secret, key}`, ' +
    '`webhook: {secret, key}`, `email: {to, from, smarthost, username, secret, key, requireTls}`. ' +
    'Name Secrets in Alertmanager’s namespace; never put their content here.',
  'loki.enabled': 'Stores logs.',
  'loki.retention': 'How long logs are kept.',
  'loki.size': 'Size of the claim.',
  'tempo.enabled': 'Stores traces and derives the service map.',
  'tempo.retention': 'How long traces are kept.',
  'tempo.size': 'Size of the claim.',
  'grafana.enabled': 'Dashboards and correlations.',
  'grafana.size': 'Size of the claim.',
  'grafana.replicas': 'Always 1: its database is SQLite on one volume.',
  'grafana.storageClass': 'StorageClass of its claim; empty: storage.storageClass.',
  ...ingress('grafana', 'Grafana'),
  'grafana.gatewayProxy.enabled':
    'nginx in front of Grafana: `/gateway-proxy/` forwards any signed-in user to the platform’s gateway.',
  'grafana.gatewayProxy.upstream': 'Fully qualified host and port of that gateway.',
  'grafana.contactPoint':
    'Contact point `Alertmanager` in Grafana: alerts created there can reach the receivers of alertmanager.notify. ' +
    'Choose it per alert in Grafana.',
  'grafana.service.type': '`ClusterIP`, `NodePort` or `LoadBalancer`.',
  'kube-state-metrics.enabled': 'State of Kubernetes objects as `kube_*` series.',
  'macos.enabled': 'Dashboard and alerts for Macs with a collector from `genai-obs macos bundle`.',
  'opentelemetry-operator.enabled':
    'Creates collectors from custom resources and injects SDKs; enabled automatically if a collector uses it.',
  'kube-prometheus-stack.enabled':
    'The kube-prometheus-stack chart with its operator; enabled automatically if and only if a component uses it.',
  'kube-prometheus-stack.defaultRules': 'Add the rules of kube-prometheus for nodes and workloads to ours.',
  'kube-prometheus-stack.controlPlane':
    'Scrape API server, etcd, scheduler, controller manager, kube-proxy and CoreDNS, with their rules. ' +
    'Not on K3s, which runs them in one process.',
  'cert-manager.enabled': 'Certificates for webhooks and mutual TLS; uses the cluster’s cert-manager if there is one.',
  'cert-manager.existing': 'The cluster has a working cert-manager that genai-obs did not install.',
  'jaeger.enabled': 'Stores and searches traces in Jaeger; the gateway sends to it when Tempo is off.',
  'jaeger.storage':
    '`memory` (for development: traces are lost when the pod is deleted) or `opensearch`, which must already exist.',
  'jaeger.maxTraces': 'Newest traces kept in memory; the memory limit of the pod is 128 MiB plus 16 KiB per trace.',
  'jaeger.endpoint': 'URL of OpenSearch.',
  'jaeger.secret': 'Secret with the keys `username` and `password` for OpenSearch; empty: no login.',
  'metrics-server.enabled':
    'Metrics for autoscaling and `kubectl top`; uses the cluster’s metrics-server if there is one.',
  'csi-driver-nfs.enabled': 'Volumes on an NFS server.',
  'csi-driver-nfs.server': 'Host name or address of the NFS server.',
  'csi-driver-nfs.share': 'Exported path.',
  'csi-driver-nfs.storageClass': 'Name of the StorageClass to create; not suitable for databases.',
  'seaweedfs.enabled': 'Object storage in the cluster with the S3 API.',
  'seaweedfs.size': 'Size of the claim.',
  'dcgm-exporter.enabled': 'Metrics of NVIDIA GPUs.',
  'dcgm-exporter.nodeLabel': 'Label of the nodes with GPUs.',
  'cloudwatch-exporter.enabled': 'Metrics from AWS CloudWatch.',
  'cloudwatch-exporter.regions': 'AWS regions to query.',
  'cloudwatch-exporter.roleArn': 'IAM role of its ServiceAccount.',
  'cloudwatch-exporter.secret': 'Instead of a role: Secret with the keys `access_key` and `secret_key`.',
  'k8s-monitoring.enabled': 'Collects cluster telemetry with Grafana Alloy and sends it to Grafana Cloud.',
  'k8s-monitoring.destination.mode':
    '`otlp`: one gateway for all signals; `separate`: remote write, Loki push, and OTLP for traces ' +
    '(docs/grafana-cloud.md).',
  'k8s-monitoring.destination.otlp.url': 'OTLP gateway, `…/otlp`, without credentials.',
  'k8s-monitoring.destination.otlp.user': 'Instance ID; empty: the Secret holds it.',
  'k8s-monitoring.destination.prometheus.url': 'Remote write endpoint, `…/api/prom/push`; only with mode `separate`.',
  'k8s-monitoring.destination.prometheus.user': 'Instance ID; empty: the Secret holds it.',
  'k8s-monitoring.destination.loki.url': 'Push endpoint, `…/loki/api/v1/push`; only with mode `separate`.',
  'k8s-monitoring.destination.loki.user': 'Instance ID; empty: the Secret holds it.',
  'k8s-monitoring.secret.name': 'Secret with users and token; install adds missing keys.',
  'k8s-monitoring.secret.tokenKey':
    'Key of the token in that Secret; install takes it from `GRAFANA_CLOUD_TOKEN` if the Secret lacks it.',
  'k8s-monitoring.scrapeInterval': 'Interval of all scrapes; 15s stores four times as many samples as 60s.',
  'k8s-monitoring.podLogs': '`loki`, or `opentelemetry` (a preview in Alloy).',
  'k8s-monitoring.zipkin': 'Also receive Zipkin spans, on port 9411.',
  'k8s-monitoring.promptText': 'Treatment of the attributes `rag.query` and `faiss.query`: `hash`, `drop` or `keep`.',
  '<addon>.namespace': 'Namespace of this add-on; empty: the namespace of the stack.',
  secrets:
    'Secrets that install creates from values of this machine: a list of `{name, namespace, key, env}` or ' +
    '`{name, namespace, key, file}`. `env` names a variable (or `<NAME>_FILE` a file). ' +
    'Plan, journal and log never contain the values.',
  'serviceMonitors.enabled':
    'ServiceMonitors for a Prometheus operator of the cluster; the CRD is created if it is missing.',
  'serviceMonitors.interval': 'Scrape interval.',
  'serviceMonitors.labels': 'Labels that the Prometheus of that operator selects by.',
  teams:
    'Teams of a platform, `[{name, namespace}]`: alerts and a dashboard per team. ' +
    'Nothing is created in their namespaces.',
  'security.mtls.enabled':
    'Mutual TLS between collectors and for senders outside the cluster, on ports 4319 (gRPC) and 4320 (HTTP); ' +
    'requires cert-manager.',
  'security.mtls.mode':
    '`external`: applications in the cluster may send plain OTLP; `strict`: every sender needs a client certificate.',
  'security.mtls.names':
    'Additional host names and addresses of the gateway’s certificate, for senders outside the cluster.',
  'security.mtls.clients':
    'Senders that each get a client certificate in the Secret `otel-client-NAME`: those outside the cluster, and ' +
    'with mode `strict` applications. The name of a namespace serves the whole namespace.',
  'security.ingest.tokenSecret':
    'Secret in the gateway’s namespace with the key `token`, which senders outside the cluster present instead of a ' +
    'certificate.',
  'security.ingest.tlsSecret':
    'Secret of type `kubernetes.io/tls` with the server certificate for token clients; empty: that of mutual TLS.',
  'genai.cost.budgetLimit': 'Budget in USD per day, for alerts and the threshold in the dashboard; 0: no budget.',
  'genai.cost.monthlyLimit':
    'Budget in USD per 30 days, with alerts at 50, 75 and 90 percent; Prometheus must keep 30 days. 0: no budget.',
  'genai.cost.prices': 'Prices in USD per million tokens, `model: {input, output}`; override templates/prices.yaml.',
  'genai.sampling.rate': 'Share of traces to store, 0 to 1. Span metrics count all traces.',
  'genai.sampling.mode':
    '`head`: decide by trace ID when a span arrives. `tail`: decide on whole traces, and also keep errors, slow, ' +
    'expensive and refused calls.',
  'genai.genops.enabled':
    'GenOps: normalized span attributes, its metric names as recorded aliases, its alerts and dashboards.',
  'genai.genops.namespace': 'Namespace of the applications that its alerts watch.',
  'genai.genops.budgets': 'Budgets in USD per day by team.',
  'genai.genops.monthlyBudgets': 'Budgets in USD per 30 days by team; same alerts as genai.cost.monthlyLimit.',
  'exporters.datadog.enabled': 'Send a copy of traces and metrics to Datadog.',
  'exporters.datadog.site': 'Datadog site of the account.',
  'exporters.datadog.secret': 'Secret with the API key, in the gateway’s namespace.',
  'exporters.datadog.key': 'Key in that Secret.',
  'exporters.honeycomb.enabled': 'Send a copy of traces to Honeycomb.',
  'exporters.honeycomb.endpoint': 'host:port of its OTLP gRPC endpoint.',
  'exporters.honeycomb.secret': 'Secret with the API key, in the gateway’s namespace.',
  'exporters.honeycomb.key': 'Key in that Secret.',
  'exporters.splunk.enabled': 'Send a copy of logs to Splunk.',
  'exporters.splunk.endpoint': 'URL of its HTTP event collector.',
  'exporters.splunk.index': 'Index; empty: the default index of the token.',
  'exporters.splunk.secret': 'Secret with the token, in the gateway’s namespace.',
  'exporters.splunk.key': 'Key in that Secret.',
};

/** The line for a setting; its own line takes precedence over `<component>` or `<addon>`. */
export function lineFor(path: string): string | undefined {
  const [section = '', ...rest] = path.split('.');
  const kind = COMPONENT_IDS.some((id) => id === section)
    ? '<component>'
    : ADDON_IDS.some((id) => id === section)
      ? '<addon>'
      : section;
  return [path, [kind, ...rest].join('.')].find((line) => line in SETTINGS);
}

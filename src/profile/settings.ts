import { ADDON_IDS, COMPONENT_IDS } from './schema.ts';

/**
 * What every setting means: docs/configuration.md is generated from this and the schema (row 000-VAL-08).
 * `<component>` and `<addon>` stand for each of them that has no line of its own.
 */
export const SETTINGS: Record<string, string> = {
  profile: 'The profile that the configuration started from.',
  namespace: 'Namespace of the stack; made when it is not there.',
  size: '`S`, `M` or `L`: requests, limits and claims of every component, in templates/sizes.yaml; empty: small, for a trial. A claim that is named in the same file or a later one wins.',
  'global.environment': '`deployment.environment` and `deployment.environment.name` of all telemetry.',
  'global.clusterName': '`k8s.cluster.name` of all telemetry, `cluster` of alerts.',
  'global.imageRegistry':
    'Put in place of every image’s registry host: `registry.example/mirror` makes `registry.example/mirror/grafana/loki:3.7.6`.',
  'global.charts':
    'Where upstream charts come from: a folder of archives, `https://…` or `oci://…` of a mirror; empty: their own homes.',
  '<component>.chart':
    'Which chart makes it: `genai-obs` is our own, another name the upstream chart, `opentelemetry-operator` a resource of that operator.',
  '<component>.namespace': 'Namespace of this component; empty: that of the stack.',
  'storage.enabled': '`false`: no claims, data live and die with the pods.',
  'storage.storageClass': 'Storage class of all claims; empty: the cluster’s default class.',
  'storage.s3.enabled':
    'Logs and traces on object storage; the claims keep write-ahead logs only. To be chosen before the first install: nothing is moved.',
  'storage.s3.endpoint': '`host` or `host:port`; empty with SeaweedFS, which is known.',
  'storage.s3.region': 'Region of the buckets.',
  'storage.s3.buckets.loki': 'Bucket of the logs.',
  'storage.s3.buckets.tempo': 'Bucket of the traces.',
  'storage.s3.forcePathStyle': '`host/bucket` in place of `bucket.host`: what most stores besides AWS want.',
  'storage.s3.insecure': 'Without TLS.',
  'storage.s3.secret':
    'Secret with `access-key` and `secret-key`, in the namespace of Loki and Tempo; with SeaweedFS it is made.',
  'opentelemetry-collector.enabled': 'Gateway: OTLP entry, enrichment, span metrics, sampling, export.',
  'opentelemetry-collector.replicaCount': 'Replicas of the gateway.',
  'opentelemetry-collector.autoscaling.enabled': 'As many replicas as the load needs; wants metrics-server.',
  'opentelemetry-collector.autoscaling.minReplicas': 'At least.',
  'opentelemetry-collector.autoscaling.maxReplicas': 'At most.',
  'opentelemetry-collector.autoscaling.cpuPercent': 'Of the requested CPU, on average: above it a replica is added.',
  'opentelemetry-collector.autoscaling.memoryPercent': 'Of the requested memory, on average.',
  'opentelemetry-collector.spread':
    'Over nodes and zones: `ScheduleAnyway`, or `DoNotSchedule`, where a replica waits for a free zone.',
  'opentelemetry-collector.batch':
    'How the gateway gathers before it sends: `low-latency` (1 s or 2048 items), `balanced` (10 s or 1024), `throughput` (10 s or 10000; wants a `size`, and loses more in a crash).',
  'opentelemetry-collector.ingress.host': 'Host name of an Ingress for OTLP over HTTP, paths `/v1/…`; empty: none.',
  'opentelemetry-collector.ingress.className': 'Its class; empty: the cluster’s default.',
  'opentelemetry-collector.ingress.tlsSecret': 'Secret with its certificate; empty: no TLS.',
  'opentelemetry-collector.ingress.issuer': 'ClusterIssuer of cert-manager that makes that certificate.',
  'opentelemetry-collector.ingress.annotations': 'Further annotations.',
  'opentelemetry-collector.expose.type':
    'Entry for senders outside of the cluster, Service `otel-ingest`: `ClusterIP` (none), `NodePort` or `LoadBalancer`; needs mutual TLS or a token.',
  'opentelemetry-collector.expose.nodePorts.grpc':
    'Port of the nodes for OTLP gRPC, 30000 to 32767; 0: Kubernetes chooses.',
  'opentelemetry-collector.expose.nodePorts.http': 'The same for OTLP HTTP.',
  'opentelemetry-node-collector.enabled': 'One collector a node: container logs, host and kubelet metrics.',
  'opentelemetry-cluster-collector.enabled': 'One collector: cluster metrics and Kubernetes events.',
  'prometheus.enabled': 'Metric storage, rules.',
  'prometheus.server.retention': 'How long metrics are kept.',
  'prometheus.server.retentionSize':
    'Cap on what they may take beside the time, `50GB`: the oldest go first; less than the claim. Empty: none.',
  'prometheus.server.size': 'Size of the claim.',
  'prometheus.server.replicaCount': '1: several would write into one volume.',
  'prometheus.server.scrapeInterval': 'How often everything is scraped, at most `60s`: rules look at five minutes.',
  'prometheus.server.remoteWrite':
    'Who gets a copy of every sample: `[{url, tenant, secret: {name, usernameKey, passwordKey, tokenKey}}]`. `tenant` is Mimir’s; `tokenKey` stands for a bearer token in place of user and password. The Secret stands in Prometheus’ namespace.',
  'prometheus.cadvisor': 'Scrape the kubelets’ cAdvisor: `container_*` by container.',
  'prometheus.ingress.host': 'Host name of an Ingress to Prometheus; empty: none.',
  'prometheus.ingress.className': 'Its class; empty: the cluster’s default.',
  'prometheus.ingress.tlsSecret': 'Secret with its certificate; empty: no TLS.',
  'prometheus.ingress.issuer': 'ClusterIssuer of cert-manager that makes that certificate.',
  'prometheus.ingress.annotations': 'Further annotations.',
  'alertmanager.enabled': 'Routing of alerts.',
  'alertmanager.size': 'Size of the claim.',
  'alertmanager.notify':
    'Who is told of alerts: `slack: {secret, key, channel, channels}`, `pagerduty: {secret, key}`, `webhook: {secret, key}`, `email: {to, from, smarthost, username, secret, key, requireTls}`. Secrets are named, never their contents; they stand in Alertmanager’s namespace.',
  'loki.enabled': 'Log storage.',
  'loki.retention': 'How long logs are kept.',
  'loki.size': 'Size of the claim.',
  'tempo.enabled': 'Trace storage and the service map.',
  'tempo.retention': 'How long traces are kept.',
  'tempo.size': 'Size of the claim.',
  'grafana.enabled': 'Dashboards and correlations.',
  'grafana.size': 'Size of the claim.',
  'grafana.replicas': '1: its database is SQLite on one volume.',
  'grafana.storageClass': 'Storage class of its claim; empty: storage.storageClass.',
  'grafana.ingress.host': 'Host name of an Ingress to Grafana; empty: none.',
  'grafana.ingress.className': 'Its class; empty: the cluster’s default.',
  'grafana.ingress.tlsSecret': 'Secret with its certificate; empty: no TLS.',
  'grafana.ingress.issuer': 'ClusterIssuer of cert-manager that makes that certificate.',
  'grafana.ingress.annotations': 'Further annotations.',
  'grafana.gatewayProxy.enabled':
    'nginx before Grafana: `/gateway-proxy/` leads whoever is signed in to the platform’s gateway.',
  'grafana.gatewayProxy.upstream': 'Host and port of that gateway, with the full name.',
  'grafana.contactPoint':
    'Contact point `Alertmanager` in Grafana: alerts made there reach those of alertmanager.notify. Which alerts take it is chosen in Grafana.',
  'grafana.service.type': '`ClusterIP`, `NodePort` or `LoadBalancer`.',
  'kube-state-metrics.enabled': 'The cluster’s state as `kube_*` series.',
  'macos.enabled': 'Dashboard and alerts of Macs whose collectors `genai-obs macos bundle` made.',
  'opentelemetry-operator.enabled':
    'Makes collectors out of resources and injects SDKs; on by itself when a collector has this chart.',
  'kube-prometheus-stack.enabled':
    'The whole stack’s chart with its operator; on exactly when a component has this chart.',
  'kube-prometheus-stack.defaultRules': 'The rules of kube-prometheus about nodes and workloads beside ours.',
  'kube-prometheus-stack.controlPlane':
    'Scrape API server, etcd, scheduler, controller manager, kube-proxy and CoreDNS, with their rules. Not with K3s, which hides them in one process.',
  'cert-manager.enabled': 'Certificates for webhooks and mutual TLS; one that the cluster has is used.',
  'cert-manager.existing': 'The cluster has one that is not ours, and it serves.',
  'jaeger.enabled': 'Trace storage and search in Jaeger; the gateway sends there when Tempo is off.',
  'jaeger.storage': '`memory` (for development: it forgets with the pod) or `opensearch`, which must be there.',
  'jaeger.maxTraces': 'Traces kept in memory, the newest; the limit of its pod is 128 MiB and 16 KiB for each.',
  'jaeger.endpoint': 'URL of OpenSearch.',
  'jaeger.secret': 'Secret with `username` and `password` for OpenSearch; empty: no login.',
  'metrics-server.enabled': 'What autoscaling and `kubectl top` read; one that the cluster has is used.',
  'csi-driver-nfs.enabled': 'Volumes on an NFS server.',
  'csi-driver-nfs.server': 'Host name or address of the NFS server.',
  'csi-driver-nfs.share': 'Exported path.',
  'csi-driver-nfs.storageClass': 'Name of the storage class that is made; not for the databases.',
  'seaweedfs.enabled': 'Object storage with the S3 API.',
  'seaweedfs.size': 'Size of the claim.',
  'dcgm-exporter.enabled': 'Metrics of NVIDIA GPUs.',
  'dcgm-exporter.nodeLabel': 'Label of the nodes with GPUs.',
  'cloudwatch-exporter.enabled': 'Metrics of AWS CloudWatch.',
  'cloudwatch-exporter.regions': 'AWS regions that are asked.',
  'cloudwatch-exporter.roleArn': 'IAM role of its service account.',
  'cloudwatch-exporter.secret': 'In place of a role: Secret with `access_key` and `secret_key`.',
  'k8s-monitoring.enabled': 'Grafana’s collection of cluster telemetry with Alloy.',
  'k8s-monitoring.destination.mode':
    '`otlp`: one gateway for all signals; `separate`: remote write, Loki push, and OTLP for traces (docs/grafana-cloud.md).',
  'k8s-monitoring.destination.otlp.url': 'OTLP gateway, `…/otlp`; without credentials.',
  'k8s-monitoring.destination.otlp.user': 'Instance id; empty: the Secret holds it.',
  'k8s-monitoring.destination.prometheus.url': 'Remote write, `…/api/prom/push`; mode separate.',
  'k8s-monitoring.destination.prometheus.user': 'Instance id; empty: the Secret holds it.',
  'k8s-monitoring.destination.loki.url': 'Push endpoint, `…/loki/api/v1/push`; mode separate.',
  'k8s-monitoring.destination.loki.user': 'Instance id; empty: the Secret holds it.',
  'k8s-monitoring.secret.name': 'Secret with users and token; what it lacks is filled when installing.',
  'k8s-monitoring.secret.tokenKey':
    'Its key with the token; taken from `GRAFANA_CLOUD_TOKEN` when the Secret lacks it.',
  'k8s-monitoring.scrapeInterval': 'How often everything is scraped; 15s costs four times the samples of 60s.',
  'k8s-monitoring.podLogs': '`loki`, or `opentelemetry` (a preview in Alloy).',
  'k8s-monitoring.zipkin': 'Also listen for Zipkin spans, on 9411.',
  'k8s-monitoring.promptText': 'What becomes of `rag.query` and `faiss.query`: `hash`, `drop` or `keep`.',
  '<addon>.namespace': 'Namespace of this add-on; empty: that of the stack.',
  secrets:
    'Secrets made from this machine when installing, a list of `{name, namespace, key, env}` or `{name, namespace, key, file}`; `env` names a variable (or `<NAME>_FILE` a file). Values are in no plan, journal or log.',
  'serviceMonitors.enabled':
    'ServiceMonitors for a Prometheus operator of the cluster; their definition is made where it is missing.',
  'serviceMonitors.interval': 'How often it scrapes.',
  'serviceMonitors.labels': 'What that operator selects by.',
  teams:
    'Teams of a platform, `[{name, namespace}]`: alerts and a dashboard by team; nothing is made in their namespaces.',
  'security.mtls.enabled':
    'Mutual TLS between collectors and for senders outside of the cluster, on 4319 (gRPC) and 4320 (HTTP); needs cert-manager.',
  'security.mtls.mode': '`external`: applications inside of the cluster may send plain OTLP; `strict`: nobody may.',
  'security.mtls.names':
    'Further host names and addresses of the gateway’s certificate: how senders outside of the cluster reach it.',
  'security.mtls.clients':
    'Senders that get a client certificate each, Secret `otel-client-NAME`: those outside of the cluster, and with mode `strict` applications (the name of a namespace serves all of it).',
  'security.ingest.tokenSecret':
    'Secret in the gateway’s namespace with the key `token`, which senders outside of the cluster show instead of a certificate.',
  'security.ingest.tlsSecret':
    'Secret of type `kubernetes.io/tls` with the certificate that goes with the token; empty: that of mutual TLS.',
  'genai.cost.budgetLimit': 'USD per day; drives the budget alerts and the dashboard’s threshold; 0: no budget.',
  'genai.cost.monthlyLimit':
    'USD for 30 days, beside the daily budget: alerts at 50, 75 and 90 percent; Prometheus must keep 30 days. 0: no budget.',
  'genai.cost.prices': 'USD per million tokens, `model: {input, output}`; wins over templates/prices.yaml.',
  'genai.sampling.rate': 'Share of traces that are stored, 0 to 1. Span metrics count all of them.',
  'genai.sampling.mode':
    '`head`: by trace id as spans come. `tail`: whole traces; errors, slow, expensive and refused calls are kept beside the share.',
  'genai.genops.enabled':
    'GenOps: its span attributes in one spelling, its metric names as recorded aliases, its alerts and dashboards.',
  'genai.genops.namespace': 'Namespace of the applications that its alerts watch.',
  'genai.genops.budgets': 'USD per day by team.',
  'genai.genops.monthlyBudgets': 'USD for 30 days by team; alerts as of genai.cost.monthlyLimit.',
  'exporters.datadog.enabled': 'Copy of traces and metrics to Datadog.',
  'exporters.datadog.site': 'Site of the account.',
  'exporters.datadog.secret': 'Secret of the API key, in the gateway’s namespace.',
  'exporters.datadog.key': 'Key of that Secret.',
  'exporters.honeycomb.enabled': 'Copy of traces to Honeycomb.',
  'exporters.honeycomb.endpoint': 'host:port of its OTLP gRPC.',
  'exporters.honeycomb.secret': 'Secret of the API key, in the gateway’s namespace.',
  'exporters.honeycomb.key': 'Key of that Secret.',
  'exporters.splunk.enabled': 'Copy of logs to Splunk.',
  'exporters.splunk.endpoint': 'URL of its HTTP event collector.',
  'exporters.splunk.index': 'Index; empty: that of the token.',
  'exporters.splunk.secret': 'Secret of the token, in the gateway’s namespace.',
  'exporters.splunk.key': 'Key of that Secret.',
};

/** The line for a setting of this configuration; a line of its own wins over one for all. */
export function lineFor(path: string): string | undefined {
  const [section = '', ...rest] = path.split('.');
  const kind = COMPONENT_IDS.some((id) => id === section)
    ? '<component>'
    : ADDON_IDS.some((id) => id === section)
      ? '<addon>'
      : section;
  return [path, [kind, ...rest].join('.')].find((line) => line in SETTINGS);
}

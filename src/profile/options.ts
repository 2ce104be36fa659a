import * as v from 'valibot';
import { address, interval, name, objectName, off, ownNamespace, quantity, text, texts } from './values.ts';

/** Optional settings, most of them for production and for platforms with several teams. */

const host = v.optional(v.pipe(v.string(), v.regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/, 'must be a host name')), '');
const percent = (usual: number) => v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), usual);
const replicas = (usual: number) => v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)), usual);
/** S3's own rule for names. */
const bucket = v.optional(
  v.pipe(
    v.string(),
    v.regex(
      /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$/,
      'must be the name of a bucket: 3 to 63 lower-case letters, digits, dots, dashes',
    ),
  ),
  '',
);

/** Selects requests, limits and claims from templates/sizes.yaml; empty: the defaults of our own charts. */
export const size = v.optional(v.picklist(['', 'S', 'M', 'L']), '');

export const s3 = v.optional(
  v.strictObject({
    enabled: off,
    endpoint: address,
    region: v.optional(v.string(), 'us-east-1'),
    buckets: v.optional(v.strictObject({ loki: bucket, tempo: bucket }), {}),
    /** `host/bucket` instead of `bucket.host`. */
    forcePathStyle: off,
    /** HTTP instead of TLS. */
    insecure: off,
    /** Secret with access-key and secret-key, in the namespace of Loki and Tempo. */
    secret: objectName,
  }),
  {},
);

/** No Ingress without a host. */
export const ingress = v.optional(
  v.strictObject({
    host,
    className: objectName,
    /** Secret with the certificate; cert-manager creates it if an issuer is set. */
    tlsSecret: objectName,
    issuer: objectName,
    annotations: texts,
  }),
  {},
);

export const autoscaling = v.optional(
  v.strictObject({
    enabled: off,
    minReplicas: replicas(2),
    maxReplicas: replicas(10),
    cpuPercent: percent(80),
    memoryPercent: percent(80),
  }),
  {},
);

export const spread = v.optional(v.picklist(['ScheduleAnyway', 'DoNotSchedule']), 'ScheduleAnyway');

/** Batch size and timeout of the gateway; see parts/collectors/batch.ts. */
export const batch = v.optional(v.picklist(['low-latency', 'balanced', 'throughput']), 'low-latency');

/** Accepts more than 1, so that src/profile/rules.ts can refuse it with the reason. */
export const oneReplica = replicas(1);

/** For a Prometheus operator that already runs in the cluster. */
export const serviceMonitors = v.optional(
  v.strictObject({
    enabled: off,
    interval: v.optional(interval, '30s'),
    /** Labels that its Prometheus selects by. */
    labels: texts,
  }),
  {},
);

/** Teams of a platform and the namespaces of their pods; nothing is created in these. */
export const teams = v.optional(v.array(v.strictObject({ name, namespace: name })), []);

/** nginx in front of Grafana, so that panels reach the platform's gateway at Grafana's address. */
export const gatewayProxy = v.optional(v.strictObject({ enabled: off, upstream: address }), {});

export const seaweedfs = v.strictObject({ enabled: off, namespace: ownNamespace, size: v.optional(quantity, '50Gi') });

export const nfs = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  server: text,
  share: v.optional(v.string(), '/'),
  storageClass: v.optional(name, 'nfs-csi'),
});

export const dcgmExporter = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  /** Label of nodes with GPUs; on other nodes the exporter crashes. */
  nodeLabel: v.optional(
    v.pipe(v.string(), v.regex(/^[^=\s]+=[^=\s]*$/, 'must be a label such as nvidia.com/gpu.present=true')),
    'nvidia.com/gpu.present=true',
  ),
});

export const cloudwatchExporter = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  regions: v.optional(v.array(v.string()), []),
  /** IAM role of its ServiceAccount; alternatively `secret` with access_key and secret_key. */
  roleArn: text,
  secret: objectName,
});

/** 0: Kubernetes chooses. */
const nodePort = v.optional(
  v.union([v.literal(0), v.pipe(v.number(), v.integer(), v.minValue(30000), v.maxValue(32767))]),
  0,
);

export const expose = v.optional(
  v.strictObject({
    type: v.optional(v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer']), 'ClusterIP'),
    nodePorts: v.optional(v.strictObject({ grpc: nodePort, http: nodePort }), {}),
  }),
  {},
);

export const security = v.optional(
  v.strictObject({
    mtls: v.optional(
      v.strictObject({
        enabled: v.optional(v.boolean(), false),
        /** `external`: plain OTLP stays open in the cluster; `strict`: every sender needs a client certificate. */
        mode: v.optional(v.picklist(['external', 'strict']), 'external'),
        /** Additional host names and addresses of the gateway's certificate, for senders outside the cluster. */
        names: v.optional(
          v.array(v.pipe(v.string(), v.regex(/^[a-zA-Z0-9*][-a-zA-Z0-9.:]*$/, 'must be a host name or an address'))),
          [],
        ),
        /** Senders that each get a client certificate, Secret `otel-client-NAME`. */
        clients: v.optional(v.array(name), []),
      }),
      {},
    ),
    ingest: v.optional(
      v.strictObject({
        /** Secret in the gateway's namespace; its key `token` authenticates senders outside the cluster. */
        tokenSecret: ownNamespace,
        /** Secret of type kubernetes.io/tls with the gateway's certificate; empty: that of mutual TLS. */
        tlsSecret: ownNamespace,
      }),
      {},
    ),
  }),
  {},
);

import * as v from 'valibot';
import { address, interval, name, objectName, off, ownNamespace, quantity, text, texts } from './values.ts';

/** Settings that quickstart does not name: what profiles for production and for platforms of several teams ask for. */

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

/** Requests, limits and claims of templates/sizes.yaml; empty: what our own charts ask for. */
export const size = v.optional(v.picklist(['', 'S', 'M', 'L']), '');

/** Object storage for Loki and Tempo (rows 000-INST-10, 000-INST-11, 000-HA-02). */
export const s3 = v.optional(
  v.strictObject({
    enabled: off,
    endpoint: address,
    region: v.optional(v.string(), 'us-east-1'),
    buckets: v.optional(v.strictObject({ loki: bucket, tempo: bucket }), {}),
    /** `host/bucket` in place of `bucket.host`. */
    forcePathStyle: off,
    /** Without TLS. */
    insecure: off,
    /** Secret with access-key and secret-key, in the namespace of Loki and Tempo. */
    secret: objectName,
  }),
  {},
);

/** A way in from outside of the cluster; no host: none (rows 000-INST-09, 000-ACC-04). */
export const ingress = v.optional(
  v.strictObject({
    host,
    className: objectName,
    /** Secret with the certificate; cert-manager makes it where an issuer is named. */
    tlsSecret: objectName,
    issuer: objectName,
    annotations: texts,
  }),
  {},
);

/** Row 000-SCALE-03. */
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

/** Over nodes and zones (row 000-HA-01). */
export const spread = v.optional(v.picklist(['ScheduleAnyway', 'DoNotSchedule']), 'ScheduleAnyway');

/** How long the gateway gathers, and how much (contradiction X-11). */
export const batch = v.optional(v.picklist(['low-latency', 'balanced', 'throughput']), 'low-latency');

/** A request for more is refused with the reason: row 000-SCALE-01. */
export const oneReplica = replicas(1);

/** For a Prometheus operator that is there already (row 000-SELF-04). */
export const serviceMonitors = v.optional(
  v.strictObject({
    enabled: off,
    interval: v.optional(interval, '30s'),
    /** What that operator's Prometheus selects by. */
    labels: texts,
  }),
  {},
);

/** Teams of a platform and where their pods run; nothing is created there (rows 001-CF-*, 001-KM-*). */
export const teams = v.optional(v.array(v.strictObject({ name, namespace: name })), []);

/** nginx before Grafana: panels reach the platform's gateway through Grafana's own address (rows 001-GRAF-01, 001-GRAF-02). */
export const gatewayProxy = v.optional(v.strictObject({ enabled: off, upstream: address }), {});

/** S3 inside of the cluster. */
export const seaweedfs = v.strictObject({ enabled: off, namespace: ownNamespace, size: v.optional(quantity, '50Gi') });

/** Volumes on an NFS server: a StorageClass and its driver. */
export const nfs = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  server: text,
  share: v.optional(v.string(), '/'),
  storageClass: v.optional(name, 'nfs-csi'),
});

/** GPU metrics. */
export const dcgmExporter = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  /** Nodes with GPUs; anywhere else it crashes. */
  nodeLabel: v.optional(
    v.pipe(v.string(), v.regex(/^[^=\s]+=[^=\s]*$/, 'must be a label such as nvidia.com/gpu.present=true')),
    'nvidia.com/gpu.present=true',
  ),
});

/** CloudWatch metrics of SageMaker endpoints (upstream.md B.2 27). */
export const cloudwatchExporter = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  regions: v.optional(v.array(v.string()), []),
  /** IAM role of its service account; else `secret` with access_key and secret_key. */
  roleArn: text,
  secret: objectName,
});

/** 0: Kubernetes chooses. */
const nodePort = v.optional(
  v.union([v.literal(0), v.pipe(v.number(), v.integer(), v.minValue(30000), v.maxValue(32767))]),
  0,
);

/** Service for senders outside of the cluster. */
export const expose = v.optional(
  v.strictObject({
    type: v.optional(v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer']), 'ClusterIP'),
    nodePorts: v.optional(v.strictObject({ grpc: nodePort, http: nodePort }), {}),
  }),
  {},
);

/** Protection of OTLP on its way in (rows 004-SEC-01, 004-P5-06). */
export const security = v.optional(
  v.strictObject({
    mtls: v.optional(
      v.strictObject({
        enabled: v.optional(v.boolean(), false),
        /** `external`: plain OTLP stays for applications inside of the cluster; `strict`: no OTLP without a client certificate. */
        mode: v.optional(v.picklist(['external', 'strict']), 'external'),
        /** Further host names and addresses of the gateway's certificate: how senders outside of the cluster reach it. */
        names: v.optional(
          v.array(v.pipe(v.string(), v.regex(/^[a-zA-Z0-9*][-a-zA-Z0-9.:]*$/, 'must be a host name or an address'))),
          [],
        ),
        /** Senders that get a client certificate each, Secret `otel-client-NAME`: outside of the cluster, and with `strict` applications. */
        clients: v.optional(v.array(name), []),
      }),
      {},
    ),
    ingest: v.optional(
      v.strictObject({
        /** Secret in the gateway's namespace whose key `token` senders outside of the cluster show; empty: none. */
        tokenSecret: ownNamespace,
        /** Secret of type kubernetes.io/tls with the gateway's certificate; empty: that of mutual TLS. */
        tlsSecret: ownNamespace,
      }),
      {},
    ),
  }),
  {},
);

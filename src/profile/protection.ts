import * as v from 'valibot';

const name = v.pipe(v.string(), v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and dashes'));
const secretName = v.optional(v.union([v.literal(''), name]), '');
/** 0: Kubernetes chooses. */
const nodePort = v.optional(v.union([v.literal(0), v.pipe(v.number(), v.integer(), v.minValue(30000), v.maxValue(32767))]), 0);
const protection = {
  mtls: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean(), false),
      /** `external`: plain OTLP stays for applications inside of the cluster; `strict`: no OTLP without a client certificate. */
      mode: v.optional(v.picklist(['external', 'strict']), 'external'),
      /** Further host names and addresses of the gateway's certificate: how senders outside of the cluster reach it. */
      names: v.optional(v.array(v.pipe(v.string(), v.regex(/^[a-zA-Z0-9*][-a-zA-Z0-9.:]*$/, 'must be a host name or an address'))), []),
      /** Senders outside of the cluster that get a client certificate each: Secret `otel-client-NAME`. */
      clients: v.optional(v.array(name), []),
    }),
    {},
  ),
  ingest: v.optional(
    v.strictObject({
      /** Secret in the gateway's namespace whose key `token` senders outside of the cluster show; empty: none. */
      tokenSecret: secretName,
      /** Secret of type kubernetes.io/tls with the gateway's certificate; empty: that of mutual TLS. */
      tlsSecret: secretName,
    }),
    {},
  ),
};

/** Protection of OTLP on its way in (rows 004-SEC-01, 004-P5-06). */
export const security = v.optional(v.strictObject(protection), {});

/** Entry for senders outside of the cluster; anything but ClusterIP needs mutual TLS, or a token over TLS. */
export const expose = v.optional(
  v.strictObject({
    type: v.optional(v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer']), 'ClusterIP'),
    nodePorts: v.optional(v.strictObject({ grpc: nodePort, http: nodePort }), {}),
  }),
  {},
);

import { ownLabels } from '../../core/labels.ts';
import type { Json, JsonMap, KubeObject } from '../../core/types.ts';
import { type ComponentId, type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { placeOf } from '../catalog.ts';
import { mapAt, set } from '../../core/json.ts';

/** Ports for authenticated OTLP, by certificate or token; plain OTLP keeps 4317 and 4318. */
const MTLS_PORTS = { grpc: 4319, http: 4320 } as const;
const TOKEN_PORTS = { grpc: 4321, http: 4322 } as const;

/** OTLP receivers that other pods can reach, and their ports. */
export function openReceivers({ security: { mtls } }: Config): { receiver: string; grpc: number; http: number }[] {
  return [
    ...(mtls.enabled && mtls.mode === 'strict' ? [] : [{ receiver: 'otlp', grpc: 4317, http: 4318 }]),
    ...(mtls.enabled ? [{ receiver: 'otlp/mtls', ...MTLS_PORTS }] : []),
  ];
}

export const collectorPort = ({ security: { mtls } }: Config): number => (mtls.enabled ? MTLS_PORTS.grpc : 4317);

const TLS_DIR = '/etc/genai-obs/tls';
const INGEST_TLS_DIR = '/etc/genai-obs/ingest-tls';
const TOKEN_DIR = '/etc/genai-obs/token';

const GATEWAY = 'opentelemetry-collector';
const SECRETS: Partial<Record<ComponentId, string>> = {
  [GATEWAY]: 'otel-gateway-tls',
  'opentelemetry-node-collector': 'otel-node-tls',
  'opentelemetry-cluster-collector': 'otel-cluster-tls',
};
const CA = 'genai-obs-ca';
const KEY: JsonMap = { algorithm: 'ECDSA', size: 256, rotationPolicy: 'Always' };

interface SecretMount {
  name: string;
  secret: string;
  mountPath: string;
}

/** Secret with the certificate of one of `security.mtls.clients`. */
export const clientSecret = (name: string): string => `otel-client-${name}`;

/** Secrets that a collector mounts: its certificate; the gateway also certificate and token of the ingest Service. */
function secretMounts(config: Config, id: ComponentId): SecretMount[] {
  const { mtls, ingest } = config.security;
  const own = SECRETS[id];
  return [
    ...(mtls.enabled && own ? [{ name: 'tls', secret: own, mountPath: TLS_DIR }] : []),
    ...(id === GATEWAY && ingest.tlsSecret
      ? [{ name: 'ingest-tls', secret: ingest.tlsSecret, mountPath: INGEST_TLS_DIR }]
      : []),
    ...(id === GATEWAY && ingest.tokenSecret
      ? [{ name: 'ingest-token', secret: ingest.tokenSecret, mountPath: TOKEN_DIR }]
      : []),
  ];
}

export function secretVolumes(config: Config, id: ComponentId): { volumes?: Json[]; volumeMounts?: Json[] } {
  const mounts = secretMounts(config, id);
  if (mounts.length === 0) return {};
  return {
    volumes: mounts.map(({ name, secret }) => ({ name, secret: { secretName: secret } })),
    volumeMounts: mounts.map(({ name, mountPath }) => ({ name, mountPath, readOnly: true })),
  };
}

/** Reloaded every hour, because cert-manager renews the certificates. */
const pair = (dir: string): JsonMap => ({
  cert_file: `${dir}/tls.crt`,
  key_file: `${dir}/tls.key`,
  reload_interval: '1h',
});

/** Adds the authenticated receivers to the gateway; mode `strict` limits plain OTLP to its own pod. */
export function protectedEntry(gateway: JsonMap, config: Config): JsonMap {
  const { mtls, ingest } = config.security;
  let out = gateway;
  if (mtls.enabled) {
    out = withReceiver(out, 'otlp/mtls', MTLS_PORTS, {
      ...pair(TLS_DIR),
      client_ca_file: `${TLS_DIR}/ca.crt`,
      client_ca_file_reload: true,
    });
    if (mtls.mode === 'strict')
      for (const protocol of ['grpc', 'http'] as const) {
        const port = protocol === 'grpc' ? 4317 : 4318;
        out = set(out, ['receivers', 'otlp', 'protocols', protocol, 'endpoint'], `127.0.0.1:${port}`);
      }
  }
  if (mtls.enabled) out = protectedPeers(out);
  if (ingest.tokenSecret) {
    out = withReceiver(out, 'otlp/token', TOKEN_PORTS, pair(ingest.tlsSecret ? INGEST_TLS_DIR : TLS_DIR), {
      auth: { authenticator: 'bearertokenauth' },
    });
    out = set(out, ['extensions', 'bearertokenauth'], { filename: `${TOKEN_DIR}/token` });
    // First, because the receiver requires it at start.
    out = set(out, ['service', 'extensions'], ['bearertokenauth', ...(mapAt(out, 'service')['extensions'] as Json[])]);
  }
  return out;
}

/** TLS between replicas for tail sampling. They connect by IP address, hence the fixed server name. */
function protectedPeers(config: JsonMap): JsonMap {
  if (!('otlp/sampling' in mapAt(config, 'receivers'))) return config;
  const ca = `${TLS_DIR}/ca.crt`;
  const server = { ...pair(TLS_DIR), client_ca_file: ca, client_ca_file_reload: true };
  const client = { ...pair(TLS_DIR), ca_file: ca, server_name_override: 'localhost' };
  const out = set(config, ['receivers', 'otlp/sampling', 'protocols', 'grpc', 'tls'], server);
  return set(out, ['exporters', 'loadbalancing', 'protocol', 'otlp', 'tls'], client);
}

/** Ports of the authenticated receivers for our own chart; the operator reads them from the configuration. */
function protectedPorts(config: Config): { name: string; port: number }[] {
  const { mtls, ingest } = config.security;
  const both = (name: string, { grpc, http }: { grpc: number; http: number }) => [
    { name: `otlp-${name}-grpc`, port: grpc },
    { name: `otlp-${name}-http`, port: http },
  ];
  return [...(mtls.enabled ? both('mtls', MTLS_PORTS) : []), ...(ingest.tokenSecret ? both('token', TOKEN_PORTS) : [])];
}

/** Adds a copy of the plain receiver with other ports and TLS to each of its pipelines. */
function withReceiver(
  config: JsonMap,
  name: string,
  ports: { grpc: number; http: number },
  tls: JsonMap,
  more: JsonMap = {},
): JsonMap {
  const { grpc, http } = mapAt(config, 'receivers', 'otlp', 'protocols') as { grpc: JsonMap; http: JsonMap };
  const receiver = {
    protocols: {
      grpc: { ...grpc, endpoint: `0.0.0.0:${ports.grpc}`, tls, ...more },
      http: { ...http, endpoint: `0.0.0.0:${ports.http}`, tls, ...more },
    },
  };
  const pipelines = Object.entries(mapAt(config, 'service', 'pipelines')).map(([id, pipeline]): [string, Json] => {
    const { receivers = [] } = pipeline as { receivers?: string[] };
    return [id, receivers.includes('otlp') ? { ...(pipeline as JsonMap), receivers: [...receivers, name] } : pipeline];
  });
  return set(set(config, ['receivers', name], receiver), ['service', 'pipelines'], Object.fromEntries(pipelines));
}

/** Node and cluster collectors authenticate with their certificate. */
export function protectedExit(collector: JsonMap, config: Config): JsonMap {
  if (!config.security.mtls.enabled) return collector;
  const exporter = mapAt(collector, 'exporters', 'otlp_grpc');
  const tls = { ...pair(TLS_DIR), ca_file: `${TLS_DIR}/ca.crt` };
  return set(collector, ['exporters', 'otlp_grpc'], {
    ...exporter,
    endpoint: `${GATEWAY}:${collectorPort(config)}`,
    tls,
  });
}

/** Objects for cert-manager: a self-signed CA and the certificates that it issues; none without mutual TLS. */
export function certificates(config: Config): KubeObject[] {
  const { mtls } = config.security;
  if (!mtls.enabled) return [];
  const namespace = namespaceOf(config, GATEWAY);
  const labels = ownLabels(GATEWAY);
  const object = (kind: string, name: string, spec: JsonMap): KubeObject => ({
    apiVersion: 'cert-manager.io/v1',
    kind,
    metadata: { name, namespace, labels },
    spec,
  });
  const certificate = (name: string, spec: JsonMap): KubeObject =>
    object('Certificate', name, {
      secretName: name,
      // By these labels uninstall finds the Secret.
      secretTemplate: { labels },
      commonName: name,
      privateKey: KEY,
      duration: '2160h0m0s',
      renewBefore: '720h0m0s',
      issuerRef: { name: CA, kind: 'Issuer' },
      ...spec,
    });
  const client = (name: string, spec: JsonMap = {}): KubeObject =>
    certificate(name, { usages: ['client auth'], ...spec });
  const senders = Object.entries(SECRETS).flatMap(([id, secret]) =>
    id !== GATEWAY && isEnabled(config, id as ComponentId) ? [secret] : [],
  );
  return [
    object('Issuer', 'genai-obs-self-signed', { selfSigned: {} }),
    // Keeps its key on renewal, so that issued certificates stay valid.
    certificate(CA, {
      isCA: true,
      privateKey: { algorithm: 'ECDSA', size: 256, rotationPolicy: 'Never' },
      duration: '87600h0m0s',
      renewBefore: '8760h0m0s',
      usages: ['cert sign', 'crl sign'],
      issuerRef: { name: 'genai-obs-self-signed', kind: 'Issuer' },
    }),
    object('Issuer', CA, { ca: { secretName: CA } }),
    // Also a client, because its replicas connect to each other for tail sampling.
    certificate('otel-gateway-tls', { usages: ['server auth', 'client auth'], ...gatewayNames(config) }),
    ...senders.map((name) => client(name)),
    // One year, because nothing renews them outside the cluster. Java reads only PKCS8.
    ...mtls.clients.map((name) =>
      client(clientSecret(name), { duration: '8760h0m0s', privateKey: { ...KEY, encoding: 'PKCS8' } }),
    ),
  ];
}

function gatewayNames(config: Config): JsonMap {
  const { service, namespace } = placeOf(config, GATEWAY);
  const services = [service.name, ...(config[GATEWAY].expose.type === 'ClusterIP' ? [] : [INGEST])];
  const inside = services.flatMap((name) => [
    name,
    `${name}.${namespace}`,
    `${name}.${namespace}.svc`,
    `${name}.${namespace}.svc.cluster.local`,
  ]);
  const isAddress = (name: string): boolean => /^\d+(\.\d+){3}$/.test(name) || name.includes(':');
  const addresses = config.security.mtls.names.filter(isAddress);
  const hosts = config.security.mtls.names.filter((name) => !isAddress(name));
  return { dnsNames: [...inside, 'localhost', ...hosts], ...(addresses.length ? { ipAddresses: addresses } : {}) };
}

/** Service for senders outside the cluster. */
export const INGEST = 'otel-ingest';

/** Spec of that Service, if it is enabled: maps the standard OTLP ports to the authenticated ports. */
function ingestSpec(config: Config): JsonMap | undefined {
  const { type, nodePorts } = config[GATEWAY].expose;
  if (type === 'ClusterIP') return undefined;
  const { grpc, http } = config.security.ingest.tokenSecret ? TOKEN_PORTS : MTLS_PORTS;
  const port = (name: string, number: number, targetPort: number, nodePort: number): Json => ({
    name,
    port: number,
    targetPort,
    protocol: 'TCP',
    ...(nodePort ? { nodePort } : {}),
  });
  return {
    type,
    ports: [port('otlp-grpc', 4317, grpc, nodePorts.grpc), port('otlp-http', 4318, http, nodePorts.http)],
  };
}

/** That Service for a gateway of the operator; our own chart renders it. */
export function ingestService(config: Config, selector: Record<string, string>): KubeObject[] {
  const spec = ingestSpec(config);
  const metadata = { name: INGEST, namespace: namespaceOf(config, GATEWAY), labels: ownLabels(GATEWAY) };
  return spec ? [{ apiVersion: 'v1', kind: 'Service', metadata, spec: { ...spec, selector } }] : [];
}

/** Values of our own charts; empty without mutual TLS and token. */
export function protectedValues(config: Config, id: ComponentId): JsonMap {
  const secrets = secretMounts(config, id) as unknown as Json[];
  const ports = (id === GATEWAY ? protectedPorts(config) : []) as unknown as Json[];
  const ingest = id === GATEWAY ? ingestSpec(config) : undefined;
  return { ...(secrets.length ? { secrets } : {}), ...(ports.length ? { ports } : {}), ...(ingest ? { ingest } : {}) };
}

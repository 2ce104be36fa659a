import type { KubeObject } from '../../core/types.ts';
import { count, names } from '../../doctor/quantity.ts';
import { specOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { ok, warn } from '../../doctor/types.ts';
import { INGEST } from '../../parts/collectors/mtls.ts';
import { configObject, namespaceIn, serviceObject } from '../helpers/place.ts';
import { type ComponentId, type Config, isEnabled } from '../../profile/schema.ts';

const base = { area: 'SEC', stage: 'stack' } as const;

function serviceType(service: KubeObject): string {
  return specOf<{ type: string }>(service).type ?? 'ClusterIP';
}

function otlp(look: Look): Verdict {
  const {
    namespace,
    service: { name },
  } = look.place('opentelemetry-collector');
  const service = look.find('Service', name, namespace);
  const object = serviceObject(look, 'opentelemetry-collector');
  if (service && serviceType(service) !== 'ClusterIP')
    return warn(`${name} takes plain OTLP and is a ${serviceType(service)}`, {
      object,
      cause: 'anyone who reaches the nodes can send telemetry, unencrypted',
      fix: `${look.kubectlIn(namespace)} patch service ${name} -p '{"spec":{"type":"ClusterIP"}}', and send through a TLS ingress`,
    });
  const { mtls } = look.config.security;
  if (mtls.enabled && mtls.mode === 'strict') return ok('OTLP is taken with a client certificate only');
  if (mtls.enabled)
    return ok(
      'collectors and senders outside show a client certificate; plain OTLP can be reached inside of the cluster only',
    );
  return ok('OTLP is plain and can be reached inside of the cluster only (ClusterIP); security.mtls protects it');
}

function exposed(look: Look): Verdict {
  // The entry for senders outside leads to receivers with TLS alone: the configuration is refused otherwise.
  const candidates = look.list('Service').filter((one) => one.metadata.name !== INGEST);
  const open = candidates.filter((one) => serviceType(one) === 'LoadBalancer' || serviceType(one) === 'NodePort');
  const plain = look.list('Ingress').filter((one) => !(specOf<{ tls: unknown[] }>(one).tls ?? []).length);
  const first = open[0] ?? plain[0];
  if (!first) return ok('no Service of the stack can be reached from outside, and no Ingress is without TLS');
  const text = [
    ...open.map((one) => `Service ${one.metadata.name} (${serviceType(one)})`),
    ...plain.map((one) => `Ingress ${one.metadata.name}`),
  ];
  return warn(`reachable from outside without TLS: ${names(text)}`, {
    object: `${first.kind} ${namespaceIn(look, first)}/${first.metadata.name}`,
    cause: 'passwords and telemetry travel in clear text',
    fix: 'genai-obs install --expose ClusterIP and genai-obs open, or put a TLS ingress in front',
  });
}

interface Exporter {
  endpoint?: string;
  traces_endpoint?: string;
  tls?: { insecure?: boolean; insecure_skip_verify?: boolean };
}

/** `loki`, `tempo.ns.svc`, `x.ns.svc.cluster.local`, 127.0.0.1: never leaves the cluster. */
function isInside(endpoint: string): boolean {
  const host = endpoint.replace(/^\w+:\/\//, '').replace(/[:/].*$/, '');
  return (
    host === '' ||
    host.startsWith('$') ||
    !host.includes('.') ||
    /\.svc(\.|$)/.test(host) ||
    host === '127.0.0.1' ||
    host === '0.0.0.0'
  );
}

const COLLECTORS: ComponentId[] = [
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
];

const collectorsOf = (config: Config) => COLLECTORS.filter((id) => isEnabled(config, id));

function exporters(look: Look): Verdict {
  const all = collectorsOf(look.config).flatMap((id) =>
    Object.entries(look.fact<{ exporters?: Record<string, Exporter | null> }>(`config:${id}`).exporters ?? {}).map(
      ([name, exporter]) => ({
        id,
        name,
        ...exporter,
      }),
    ),
  );
  const outside = all.filter(({ endpoint = '' }) => !isInside(endpoint));
  const unsafe = outside.find(
    ({ endpoint = '', tls }) => endpoint.startsWith('http://') || tls?.insecure || tls?.insecure_skip_verify,
  );
  if (!unsafe)
    return ok(
      `${count(all.length, 'exporter')}: ${outside.length ? `${outside.length} leave the cluster, with TLS` : 'none leaves the cluster'}`,
    );
  return warn(
    `exporter ${unsafe.name} of ${look.place(unsafe.id).workload.name} sends to ${unsafe.endpoint} without verified TLS`,
    {
      object: configObject(look, unsafe.id),
      cause: 'telemetry leaves the cluster unencrypted or to an unverified peer',
      fix: 'use https:// and tls.ca_file in the exporter',
    },
  );
}

export const exposureChecks: Check[] = [
  {
    ...base,
    id: 'SEC-01',
    title: 'OTLP is not open to the outside',
    about:
      'The gateway takes OTLP without TLS, which is fine inside of the cluster. As a NodePort or LoadBalancer anyone could send, unencrypted: a warning. With `security.mtls` collectors and senders outside show a certificate.',
    sources: '004-SEC-01',
    reads: () => ['k8s:Service'],
    skipIf: (config) =>
      config['opentelemetry-collector'].enabled ? undefined : 'the gateway is not part of this profile',
    run: otlp,
  },
  {
    ...base,
    id: 'SEC-07',
    title: 'Nothing is exposed without TLS',
    about:
      'Services of type NodePort or LoadBalancer and Ingresses without TLS carry passwords in clear text: a warning.',
    sources: '001-GRAF-08',
    reads: () => ['k8s:Service', 'k8s:Ingress'],
    run: exposed,
  },
  {
    ...base,
    id: 'SEC-08',
    title: 'Exporters to the outside use TLS',
    about: 'Exporters of the collectors whose endpoint is not a Service of this cluster must use TLS and verify it.',
    sources: 'derived',
    reads: (config) => collectorsOf(config).map((id) => `config:${id}`),
    skipIf: (config) => (collectorsOf(config).length ? undefined : 'no collector is part of this profile'),
    run: exporters,
  },
];

import { textAt, mapAt, listAt } from '../../core/json.ts';
import { enabledCollectors } from '../lib/collectors.ts';
import { checksOf, type Verdict, type Check, ok, warn } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { plural, list } from '../../core/text.ts';
import type { KubeObject } from '../../core/types.ts';
import { INGEST } from '../../parts/collectors/mtls.ts';
import { configObject, namespaceIn, serviceObject } from '../lib/place.ts';

const sec = checksOf('SEC');

function serviceType(service: KubeObject): string {
  return textAt(service, 'spec', 'type') ?? 'ClusterIP';
}

function otlp(facts: Facts): Verdict {
  const {
    namespace,
    service: { name },
  } = facts.place('opentelemetry-collector');
  const service = facts.find('Service', name, namespace);
  const object = serviceObject(facts, 'opentelemetry-collector');
  if (service && serviceType(service) !== 'ClusterIP')
    return warn(`${name} takes plain OTLP and is a ${serviceType(service)}`, {
      object,
      cause: 'anyone who reaches the nodes can send telemetry, unencrypted',
      fix: `${facts.kubectlIn(namespace)} patch service ${name} -p '{"spec":{"type":"ClusterIP"}}', and send through a TLS ingress`,
    });
  const { mtls } = facts.config.security;
  if (mtls.enabled && mtls.mode === 'strict') return ok('OTLP is taken with a client certificate only');
  if (mtls.enabled)
    return ok(
      'collectors and senders outside show a client certificate; plain OTLP can be reached inside of the cluster only',
    );
  return ok('OTLP is plain and can be reached inside of the cluster only (ClusterIP); security.mtls protects it');
}

function exposed(facts: Facts): Verdict {
  // The entry for senders outside leads to receivers with TLS alone: the configuration is refused otherwise.
  const candidates = facts.objects('Service').filter((one) => one.metadata.name !== INGEST);
  const open = candidates.filter((one) => serviceType(one) === 'LoadBalancer' || serviceType(one) === 'NodePort');
  const plain = facts.objects('Ingress').filter((one) => !listAt(one, 'spec', 'tls').length);
  const first = open[0] ?? plain[0];
  if (!first) return ok('no Service of the stack can be reached from outside, and no Ingress is without TLS');
  const text = [
    ...open.map((one) => `Service ${one.metadata.name} (${serviceType(one)})`),
    ...plain.map((one) => `Ingress ${one.metadata.name}`),
  ];
  return warn(`reachable from outside without TLS: ${list(text)}`, {
    object: `${first.kind} ${namespaceIn(facts, first)}/${first.metadata.name}`,
    cause: 'passwords and telemetry travel in clear text',
    fix: 'genai-obs install --expose ClusterIP and genai-obs open, or put a TLS ingress in front',
  });
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

function exporters(facts: Facts): Verdict {
  const all = enabledCollectors(facts.config).flatMap((id) =>
    Object.entries(mapAt(facts.running(id), 'exporters')).map(([name, exporter]) => ({
      id,
      name,
      endpoint: textAt(exporter, 'endpoint') ?? '',
      tls: mapAt(exporter, 'tls'),
    })),
  );
  const outside = all.filter(({ endpoint }) => !isInside(endpoint));
  const unsafe = outside.find(
    ({ endpoint, tls }) =>
      endpoint.startsWith('http://') || tls['insecure'] === true || tls['insecure_skip_verify'] === true,
  );
  if (!unsafe)
    return ok(
      `${plural(all.length, 'exporter')}: ${outside.length ? `${outside.length} leave the cluster, with TLS` : 'none leaves the cluster'}`,
    );
  return warn(
    `exporter ${unsafe.name} of ${facts.place(unsafe.id).workload.name} sends to ${unsafe.endpoint} without verified TLS`,
    {
      object: configObject(facts, unsafe.id),
      cause: 'telemetry leaves the cluster unencrypted or to an unverified peer',
      fix: 'use https:// and tls.ca_file in the exporter',
    },
  );
}

export const exposureChecks: Check[] = [
  sec('01', 'OTLP is not open to the outside', {
    about:
      'The gateway takes OTLP without TLS, which is fine inside of the cluster. As a NodePort or LoadBalancer anyone could send, unencrypted: a warning. With `security.mtls` collectors and senders outside show a certificate.',
    sources: '004-SEC-01',
    reads: [fact.objects('Service')],
    skipIf: (config) =>
      config['opentelemetry-collector'].enabled ? undefined : 'the gateway is not part of this profile',
    run: otlp,
  }),
  sec('07', 'Nothing is exposed without TLS', {
    about:
      'Services of type NodePort or LoadBalancer and Ingresses without TLS carry passwords in clear text: a warning.',
    sources: '001-GRAF-08',
    reads: [fact.objects('Service'), fact.objects('Ingress')],
    run: exposed,
  }),
  sec('08', 'Exporters to the outside use TLS', {
    about: 'Exporters of the collectors whose endpoint is not a Service of this cluster must use TLS and verify it.',
    sources: 'genai-obs',
    reads: (config) => enabledCollectors(config).map((id) => fact.running(id)),
    skipIf: (config) => (enabledCollectors(config).length ? undefined : 'no collector is part of this profile'),
    run: exporters,
  }),
];

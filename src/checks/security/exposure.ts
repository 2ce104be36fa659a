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
    return warn(`${name} accepts plain OTLP and is a ${serviceType(service)}`, {
      object,
      cause: 'anyone who reaches the nodes can send telemetry, unencrypted',
      fix:
        `${facts.kubectlIn(namespace)} patch service ${name} -p '{"spec":{"type":"ClusterIP"}}', and ` +
        'send through a TLS ingress',
    });
  const { mtls } = facts.config.security;
  if (mtls.enabled && mtls.mode === 'strict') return ok('OTLP requires a client certificate');
  if (mtls.enabled)
    return ok('collectors and external senders use a client certificate; plain OTLP is open inside the cluster only');
  return ok('OTLP is plain and open inside the cluster only (ClusterIP); security.mtls protects it');
}

function exposed(facts: Facts): Verdict {
  // The Service for external senders leads to receivers with TLS only: other configurations are rejected.
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
      `${plural(all.length, 'exporter')}: ` +
        (outside.length ? `${outside.length} leave the cluster, with TLS` : 'none leaves the cluster'),
    );
  return warn(
    `exporter ${unsafe.name} of ${facts.place(unsafe.id).workload.name} sends to ${unsafe.endpoint} ` +
      'without verified TLS',
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
      "Reads the type of the gateway's Service, which accepts OTLP without TLS inside the cluster. " +
      'Warning: NodePort or LoadBalancer, so that anyone can send unencrypted data. With ' +
      '`security.mtls` collectors and external senders need a client certificate.',
    sources: '004-SEC-01',
    reads: [fact.objects('Service')],
    skipIf: (config) =>
      config['opentelemetry-collector'].enabled ? undefined : 'the gateway is not part of this profile',
    run: otlp,
  }),
  sec('07', 'Nothing is exposed without TLS', {
    about:
      'Reads Services and Ingresses of the stack. Warning: a Service of type NodePort or LoadBalancer, ' +
      'or an Ingress without TLS, which carries passwords in clear text. Use ClusterIP or an Ingress ' +
      'with TLS.',
    sources: '001-GRAF-08',
    reads: [fact.objects('Service'), fact.objects('Ingress')],
    run: exposed,
  }),
  sec('08', 'Exporters to the outside use TLS', {
    about:
      'Reads the exporters of the collectors. Warning: an endpoint outside the cluster without TLS, or ' +
      'without verification of the certificate. Use https and set tls.ca_file.',
    sources: 'genai-obs',
    reads: (config) => enabledCollectors(config).map((id) => fact.running(id)),
    skipIf: (config) => (enabledCollectors(config).length ? undefined : 'no collector is part of this profile'),
    run: exporters,
  }),
];

import { traceStore } from '../../parts/addresses.ts';
import { type PlacedId, placeOf, podLabelsOf } from '../../parts/catalog.ts';
import { collectorPort, openReceivers } from '../../parts/collectors/mtls.ts';
import { type Config, isEnabled } from '../../profile/schema.ts';
import type { Flow, Peer } from './netpol.ts';

type Labels = Record<string, string>;

type From = PlacedId | 'applications';

/** Who must reach whom, on the port of the pod (not of its Service). */
const WAYS: [from: From, to: PlacedId, number: number, name: string][] = [
  ['applications', 'opentelemetry-collector', 4317, 'otlp-grpc'],
  ['applications', 'opentelemetry-collector', 4318, 'otlp-http'],
  ['opentelemetry-node-collector', 'opentelemetry-collector', 4317, 'otlp-grpc'],
  ['opentelemetry-cluster-collector', 'opentelemetry-collector', 4317, 'otlp-grpc'],
  ['opentelemetry-collector', 'prometheus', 9090, 'http'],
  ['opentelemetry-collector', 'loki', 3100, 'http'],
  ['opentelemetry-collector', 'tempo', 4317, 'otlp-grpc'],
  ['opentelemetry-collector', 'jaeger', 4317, 'otlp-grpc'],
  ['tempo', 'prometheus', 9090, 'http'],
  ['grafana', 'prometheus', 9090, 'http'],
  ['grafana', 'loki', 3100, 'http'],
  ['grafana', 'tempo', 3200, 'http'],
  ['grafana', 'jaeger', 16686, 'http'],
  ['prometheus', 'alertmanager', 9093, 'http'],
  ['prometheus', 'loki', 3100, 'http'],
  ['prometheus', 'tempo', 3200, 'http'],
  ['prometheus', 'grafana', 3000, 'http'],
  ['prometheus', 'kube-state-metrics', 8080, 'http'],
  ['prometheus', 'opentelemetry-collector', 8888, 'metrics'],
  ['prometheus', 'opentelemetry-node-collector', 8888, 'metrics'],
  ['prometheus', 'opentelemetry-cluster-collector', 8888, 'metrics'],
];

const GATEWAY = 'opentelemetry-collector';

/** OTLP's port as the profile protects it. */
function entryOf(config: Config, from: From, number: number): number {
  if (from !== 'applications') return number === 4317 ? collectorPort(config) : number;
  const [first] = openReceivers(config);
  return (number === 4317 ? first?.grpc : first?.http) ?? number;
}

const nameLabel = (namespace: string): Labels => ({ 'kubernetes.io/metadata.name': namespace });

/** An application in another namespace, without labels that a policy could select. */
const APPLICATIONS: Peer = {
  name: 'applications',
  labels: {},
  namespace: '',
  namespaceLabels: nameLabel('an-application'),
  inside: false,
};
const DNS: Peer = {
  name: 'DNS',
  labels: { 'k8s-app': 'kube-dns' },
  namespace: 'kube-system',
  namespaceLabels: nameLabel('kube-system'),
  inside: false,
};

/**
 * The flows of a profile. Pods are known by the labels of their charts, so that this works before they exist; `live`
 * gives those of a workload that is there, `namespaceLabels` what is known of a namespace besides its name.
 */
export function flowsOf(
  config: Config,
  namespaceLabels: (namespace: string) => Labels | undefined = () => undefined,
  live: (id: PlacedId) => Labels | undefined = () => undefined,
): Flow[] {
  const component = (id: PlacedId): Peer => {
    const place = placeOf(config, id);
    const { title, namespace } = place;
    return {
      id,
      name: title,
      labels: live(id) ?? podLabelsOf(place),
      namespace,
      namespaceLabels: { ...nameLabel(namespace), ...namespaceLabels(namespace) },
      inside: true,
    };
  };
  const peer = (id: From): Peer => (id === 'applications' ? APPLICATIONS : component(id));
  const on = (id: From) => id === 'applications' || isEnabled(config, id);
  // With Tempo enabled, the gateway sends nothing to Jaeger.
  const idle = (from: From, to: PlacedId) => from === GATEWAY && to === 'jaeger' && traceStore(config) !== 'jaeger';
  const ways = WAYS.filter(([from, to]) => on(from) && on(to) && !idle(from, to)).map(
    ([from, to, number, name]): Flow => ({
      from: peer(from),
      to: peer(to),
      port: { number: to === GATEWAY ? entryOf(config, from, number) : number, name },
    }),
  );
  // Every component needs DNS to find the others.
  const asking = [...new Set(WAYS.map(([from]) => from))].filter((id) => id !== 'applications' && on(id));
  return [
    ...ways,
    ...asking.map((id): Flow => ({ from: peer(id), to: DNS, port: { number: 53, name: 'dns', protocol: 'UDP' } })),
  ];
}

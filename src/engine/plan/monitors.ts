import { ownLabels } from '../../core/labels.ts';
import type { KubeObject } from '../../core/types.ts';
import { type Place, placeOf } from '../../parts/catalog.ts';
import { COMPONENT_IDS, type Config, isEnabled } from '../../profile/schema.ts';
import { namespaceStepId } from './ids.ts';
import type { Step } from '../steps/index.ts';

/** ServiceMonitors for a Prometheus operator of the cluster, and their CRD where there is none. */
export function monitorSteps(config: Config): Step[] {
  if (!config.serviceMonitors.enabled) return [];
  const ids = COMPONENT_IDS.filter((id) => isEnabled(config, id) && config[id].chart !== 'kube-prometheus-stack');
  const places = ids.map((id) => placeOf(config, id));
  const only = Object.fromEntries(DEFINITIONS.map((name) => [name, { enabled: name === 'servicemonitors' }]));
  const ownStack = isEnabled(config, 'kube-prometheus-stack');
  const crds: Step = {
    kind: 'crds',
    id: 'crds/prometheus-operator-crds',
    phase: 'operator',
    title: 'CRD of ServiceMonitor',
    needs: ['namespace'],
    chart: 'prometheus-operator-crds',
    values: { crds: only },
    served: true,
  };
  const monitors: Step = {
    kind: 'objects',
    id: 'service-monitors',
    phase: 'alerting',
    title: `${places.length} ServiceMonitors`,
    needs: [
      ...new Set(places.map(({ namespace }) => namespaceStepId(config, namespace))),
      ownStack ? 'release/kube-prometheus-stack' : crds.id,
    ],
    objects: places.map((place) => monitor(config, place)),
  };
  return ownStack ? [monitors] : [crds, monitors];
}

const DEFINITIONS = [
  'alertmanagerconfigs',
  'alertmanagers',
  'podmonitors',
  'probes',
  'prometheusagents',
  'prometheuses',
  'prometheusrules',
  'scrapeconfigs',
  'servicemonitors',
  'thanosrulers',
];

function monitor({ serviceMonitors: { interval, labels } }: Config, place: Place): KubeObject {
  const collector = place.id.endsWith('-collector');
  const endpoint = {
    port: collector ? 'metrics' : place.service.portName,
    interval,
    ...(place.id === 'kube-state-metrics' ? { honorLabels: true } : {}),
    // Charts label several Services alike, one of them headless: scrape each pod once.
    relabelings: [{ action: 'keep', sourceLabels: ['__meta_kubernetes_service_name'], regex: place.service.name }],
  };
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { name: place.service.name, namespace: place.namespace, labels: { ...labels, ...ownLabels(place.id) } },
    spec: {
      namespaceSelector: { matchNames: [place.namespace] },
      selector: {
        matchLabels: {
          'app.kubernetes.io/name': place.chart === 'opentelemetry-operator' ? place.workload.name : place.id,
        },
      },
      jobLabel: 'app.kubernetes.io/name',
      endpoints: [endpoint],
    },
  };
}

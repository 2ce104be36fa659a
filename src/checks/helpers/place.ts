import { hostOf, type Place, type PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Look } from '../../doctor/types.ts';
import type { Config } from '../../profile/schema.ts';

/** How verdicts name what belongs to a component: in its own namespace, under the names of the chart it comes from. */

/** `StatefulSet genai-observability/loki`. */
export function workloadObject(look: Look, id: PlacedId): string {
  const { namespace, workload } = look.place(id);
  return `${workload.kind} ${namespace}/${workload.name}`;
}

/** `statefulset/loki`, as kubectl takes it. */
export function resourceOf(look: Look, id: PlacedId): string {
  const { kind, name } = look.place(id).workload;
  return `${kind.toLowerCase()}/${name}`;
}

export function serviceObject(look: Look, id: PlacedId): string {
  const { namespace, service } = look.place(id);
  return `Service ${namespace}/${service.name}`;
}

/** The object in which a configuration is edited: a ConfigMap, or the resource from which an operator makes one. */
function configRef({ chart, id, configMap, workload, service }: Place): { kind: string; name: string } {
  if (chart === 'opentelemetry-operator')
    return { kind: 'OpenTelemetryCollector', name: workload.name.replace(/-collector$/, '') };
  if (chart === 'kube-prometheus-stack')
    return { kind: id === 'prometheus' ? 'Prometheus' : 'Alertmanager', name: service.name };
  return { kind: 'ConfigMap', name: configMap?.name ?? workload.name };
}

/** `ConfigMap genai-observability/loki`. */
export function configObject(look: Look, id: PlacedId): string {
  const { kind, name } = configRef(look.place(id));
  return `${kind} ${look.place(id).namespace}/${name}`;
}

/** `configmap loki`, as kubectl takes it. */
export function configResource(look: Look, id: PlacedId): string {
  const { kind, name } = configRef(look.place(id));
  return `${kind.toLowerCase()} ${name}`;
}

/** Why a check of something that our charts plan does not apply, where an operator decides. */
export function operatorOf(config: Config, id: 'prometheus' | 'alertmanager'): string | undefined {
  if (config[id].chart !== 'kube-prometheus-stack') return undefined;
  return `${id === 'prometheus' ? 'Prometheus' : 'Alertmanager'} is run by kube-prometheus-stack: its operator owns this`;
}

export function listIn(look: Look, kind: string, namespace: string): KubeObject[] {
  return look.list(kind).filter(({ metadata }) => (metadata.namespace ?? namespace) === namespace);
}

/** Namespace of an object; one without is in the home namespace. */
export function namespaceIn(look: Look, object: KubeObject): string {
  return object.metadata.namespace ?? look.namespace;
}

/** `in namespace a`, `in namespaces a, b`. */
export function inNamespaces(namespaces: readonly string[]): string {
  return `in namespace${namespaces.length > 1 ? 's' : ''} ${namespaces.join(', ')}`;
}

/**
 * The Service that a host name means to a pod of namespace `from`: `loki`, `loki.monitoring`, `loki.monitoring.svc`,
 * `loki.monitoring.svc.cluster.local`. Undefined for a name outside of the cluster.
 */
export function serviceAt(host: string, from: string): { name: string; namespace: string } | undefined {
  const [name = '', namespace, svc, ...domain] = host.replace(/\.$/, '').split('.');
  if (namespace === undefined) return { name, namespace: from };
  const inside = svc === undefined || (svc === 'svc' && (domain.length === 0 || domain.join('.') === 'cluster.local'));
  return inside ? { name, namespace } : undefined;
}

export function meansService(host: string, place: Place, from: string): boolean {
  const found = serviceAt(host, from);
  return found?.name === place.service.name && found.namespace === place.namespace;
}

/** Base URL of a component for pods of a namespace; HTTP's own port is left out. */
export function urlFor(place: Place, from: string): string {
  const { port } = place.service;
  return `http://${hostOf(place, from)}${port === 80 ? '' : `:${port}`}`;
}

/** Host and port of `http://host:port/path` or `host:port`. */
export function hostAndPort(endpoint: string): { host: string; port: number } {
  const [, scheme = '', rest = ''] = /^(?:([a-z]+):\/\/)?([^/]+)/.exec(endpoint) ?? [];
  const [host = '', port] = rest.split(':');
  return { host, port: port ? Number(port) : scheme === 'https' ? 443 : scheme === 'http' ? 80 : 4317 };
}

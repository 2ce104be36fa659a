import { type Facts } from './facts.ts';
import { hostOf, type Place, type PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import { COMPONENT_IDS, type ComponentId, type Config, isEnabled } from '../../profile/schema.ts';

export function enabledComponents(config: Config): ComponentId[] {
  return COMPONENT_IDS.filter((id) => isEnabled(config, id));
}

/** Names of a component's objects in messages: its own namespace, and the names of its chart. */

/** `StatefulSet genai-observability/loki`. */
export function workloadObject(facts: Facts, id: PlacedId): string {
  const { namespace, workload } = facts.place(id);
  return `${workload.kind} ${namespace}/${workload.name}`;
}

/** `statefulset/loki`, as kubectl takes it. */
export function resourceOf(facts: Facts, id: PlacedId): string {
  const { kind, name } = facts.place(id).workload;
  return `${kind.toLowerCase()}/${name}`;
}

export function serviceObject(facts: Facts, id: PlacedId): string {
  const { namespace, service } = facts.place(id);
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
export function configObject(facts: Facts, id: PlacedId): string {
  const { kind, name } = configRef(facts.place(id));
  return `${kind} ${facts.place(id).namespace}/${name}`;
}

/** `configmap loki`, as kubectl takes it. */
export function configResource(facts: Facts, id: PlacedId): string {
  const { kind, name } = configRef(facts.place(id));
  return `${kind.toLowerCase()} ${name}`;
}

/** Why a check of our charts' settings does not apply: an operator decides. */
export function operatorOf(config: Config, id: 'prometheus' | 'alertmanager'): string | undefined {
  if (config[id].chart !== 'kube-prometheus-stack') return undefined;
  return (
    `${id === 'prometheus' ? 'Prometheus' : 'Alertmanager'} is run by kube-prometheus-stack: its ` +
    'operator owns this'
  );
}

/** Namespace of an object; one without is in the home namespace. */
export function namespaceIn(facts: Facts, object: KubeObject): string {
  return object.metadata.namespace ?? facts.namespace;
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

/**
 * The ConfigMap that a component runs with: the one that its place names, else the one with the name of its workload
 * or release. Operators keep old versions with a hash in the name: the newest counts.
 */
export function configMapOf({ id, namespace, workload, configMap }: Place, maps: KubeObject[]): KubeObject | undefined {
  const own = maps.filter(({ metadata }) => (metadata.namespace ?? namespace) === namespace);
  const named = (name: string) => own.find(({ metadata }) => metadata.name === name);
  if (!configMap) return named(workload.name) ?? named(id);
  if (!configMap.prefix) return named(configMap.name);
  const version = (name: string) =>
    name === configMap.name ||
    (name.startsWith(`${configMap.name}-`) && /^[0-9a-f]+$/.test(name.slice(configMap.name.length + 1)));
  const age = ({ metadata }: KubeObject) => metadata.creationTimestamp ?? '';
  return own.filter(({ metadata }) => version(metadata.name)).toSorted((a, b) => age(b).localeCompare(age(a)))[0];
}

/** Key of the configuration in its ConfigMap: as the place says, else what looks like the main file. */
export function configKeyOf({ configMap }: Place, data: Record<string, unknown>): string | undefined {
  const keys = Object.keys(data);
  if (configMap) return keys.find((key) => key === configMap.key);
  const yaml = keys.filter((key) => /\.ya?ml$/.test(key));
  return keys.find((key) => key === 'config.yaml') ?? keys.find((key) => key.endsWith('.ini')) ?? yaml[0];
}

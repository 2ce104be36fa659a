import type { Json, JsonMap, KubeObject } from '../../../src/core/types.ts';
import type { RenderedObject } from './facts.ts';
import { isMap } from './paths.ts';

/** Hundreds of objects whose names nothing refers to. */
const LEFT_OUT =
  /^(ClusterRole|ClusterRoleBinding|Role|RoleBinding|PrometheusRule|CustomResourceDefinition|PodSecurityPolicy)$/;

export function objectFacts(objects: KubeObject[]): RenderedObject[] {
  return objects
    .filter((object) => !LEFT_OUT.test(object.kind) && !isDashboard(object) && !isHelmTest(object))
    .map(oneObject)
    .toSorted((a, b) => compare(`${a.kind} ${a.name}`, `${b.kind} ${b.name}`));
}

const isDashboard = (object: KubeObject): boolean =>
  object.kind === 'ConfigMap' && object.metadata.labels?.['grafana_dashboard'] !== undefined;
const isHelmTest = (object: KubeObject): boolean => /\btest/.test(object.metadata.annotations?.['helm.sh/hook'] ?? '');
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function oneObject(object: KubeObject): RenderedObject {
  const spec = map(object['spec']);
  const pod = map(
    map(object.kind === 'CronJob' ? map(map(spec['jobTemplate'])['spec'])['template'] : spec['template'])['spec'],
  );
  const found = [...list(pod['initContainers']), ...list(pod['containers'])].map((one) => [
    String(one['name']),
    String(one['image']),
  ]);
  if (typeof spec['image'] === 'string') found.push([object.kind, spec['image']]);
  const ports = object.kind === 'Service' ? list(spec['ports']).map(portFacts) : [];
  const selector = object.kind === 'Service' ? map(spec['selector']) : map(map(spec['selector'])['matchLabels']);
  const { name, namespace } = object.metadata;
  return {
    kind: object.kind,
    name,
    ...(namespace ? { namespace } : {}),
    ...(ports.length ? { ports } : {}),
    ...(found.length ? { containers: Object.fromEntries(found) as Record<string, string> } : {}),
    ...(Object.keys(selector).length ? { selector: selector as Record<string, string> } : {}),
  };
}

function portFacts(port: JsonMap): NonNullable<RenderedObject['ports']>[number] {
  const { name, targetPort, protocol } = port;
  return {
    ...(typeof name === 'string' ? { name } : {}),
    port: Number(port['port']),
    ...(typeof targetPort === 'string' || typeof targetPort === 'number' ? { targetPort } : {}),
    ...(typeof protocol === 'string' && protocol !== 'TCP' ? { protocol } : {}),
  };
}

const map = (value: unknown): JsonMap => (isMap(value as Json) ? (value as JsonMap) : {});
const list = (value: unknown): JsonMap[] => (Array.isArray(value) ? (value as JsonMap[]) : []);

/** Arguments that pass an image to an operator. */
const IMAGE_ARGUMENT = /^--?[\w-]*(?:image|reloader)[\w-]*=(.+[/:].+)$/;

/** Images of a rendering: the `image` fields of pods and custom resources, and image arguments of operators. */
export function imagesOf(objects: KubeObject[]): string[] {
  const images = new Set<string>();
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      const argument = IMAGE_ARGUMENT.exec(value)?.[1];
      if (key === 'image' && /[/:]/.test(value)) images.add(value);
      else if (argument) images.add(argument);
    } else if (Array.isArray(value)) for (const one of value) walk(one, '');
    else if (value && typeof value === 'object') for (const [name, one] of Object.entries(value)) walk(one, name);
  };
  for (const object of objects)
    if (object.kind !== 'CustomResourceDefinition' && object.kind !== 'ConfigMap' && !isHelmTest(object))
      walk(object['spec'], '');
  return [...images].toSorted();
}

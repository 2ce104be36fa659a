import type { KubeObject } from '../core/types.ts';

/** A reference with a host: `quay.io/prometheus/prometheus:v3.14.0`, with or without a digest. */
const REFERENCE = /^[\w.-]+(?::\d+)?(?:\/[\w.-]+)+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$/;
/** Operators get the images of the pods that they create as arguments. */
const ARGUMENT = /^--[\w-]*(?:image|reloader)[\w-]*=(?<image>\S+)$/;

/** Every image in the objects, sorted: of containers, of custom resources, and in the arguments of operators. */
export function imagesIn(objects: KubeObject[]): string[] {
  const found = new Set<string>();
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      const image = key === 'image' ? value : ARGUMENT.exec(value)?.groups?.['image'];
      if (image && REFERENCE.test(image)) found.add(image);
    } else if (Array.isArray(value)) for (const item of value) walk(item, '');
    else if (value && typeof value === 'object') for (const [name, item] of Object.entries(value)) walk(item, name);
  };
  for (const object of objects) if (object.kind !== 'CustomResourceDefinition') walk(object, '');
  return [...found].toSorted();
}

import type { PatchOperation } from '../../../src/connect/apply.ts';
import type { KubeObject } from '../../../src/core/types.ts';

/** Applies a patch as the API server does; a path whose parent is missing is refused. */
export function applyPatch(object: KubeObject, operations: PatchOperation[]): KubeObject {
  const copy = structuredClone(object);
  for (const { op, path, value } of operations) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((here, key) => (here as Record<string, unknown> | undefined)?.[key], copy) as
      | Record<string, unknown>
      | undefined;
    if (!parent || (op !== 'add' && !(last in parent))) throw new Error(`${op} ${path}: there is no such place`);
    if (op === 'remove') delete parent[last];
    else parent[last] = structuredClone(value);
  }
  return copy;
}

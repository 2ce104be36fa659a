import type { JsonMap } from '../../../src/core/types.ts';
import { merge } from '../../../src/core/json.ts';
import { extended, profileLayer } from '../../../src/profile/layers.ts';
import { resolve } from '../../../src/profile/resolve.ts';
import { COMPONENT_IDS, type ComponentId, type Config } from '../../../src/profile/schema.ts';

/** The quickstart profile with `over` on top, resolved as for a user. */
export function quickstart(over: JsonMap = {}): Config {
  return resolve([profileLayer('quickstart'), { source: 'test', data: over }]);
}

/** Settings that a profile requires from its user. */
const REQUIRED: Record<string, JsonMap> = {
  'grafana-cloud': {
    'k8s-monitoring': { destination: { otlp: { url: 'https://otlp-gateway.example/otlp', user: '123456' } } },
  },
};

/** A profile with all that it extends, its required settings, and `over` on top. */
export function profile(name: string, over: JsonMap = {}): Config {
  return resolve([
    ...extended(profileLayer(name)),
    { source: 'required', data: REQUIRED[name] ?? {} },
    { source: 'test', data: over },
  ]);
}

export function without(ids: readonly ComponentId[], over: JsonMap = {}): Config {
  return quickstart(ids.reduce<JsonMap>((sum, id) => merge(sum, { [id]: { enabled: false } }), over));
}

export const OPTIONAL = COMPONENT_IDS;

/** Every subset of a list, the empty one first. */
export function subsets<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((all, item) => [...all, ...all.map((set) => [...set, item])], [[]]);
}

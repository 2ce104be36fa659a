import { listAt, mapAt } from '../../../src/core/json.ts';
import { COMPONENTS } from '../../../src/components/index.ts';
import { inputOf } from '../../../src/parts/templates.ts';
import type { JsonMap } from '../../../src/core/types.ts';
import { buildPlan } from '../../../src/engine/plan/index.ts';
import type { Step } from '../../../src/engine/steps/index.ts';
import type { ReleaseStep } from '../../../src/engine/steps/release.ts';
import { extended, profileLayer } from '../../../src/profile/layers.ts';
import { resolve } from '../../../src/profile/resolve.ts';
import type { ComponentId, Config } from '../../../src/profile/schema.ts';

/** The profile genops with `over` on top. */
export const genops = (over: JsonMap = {}): Config =>
  resolve([...extended(profileLayer('genops')), { source: 'test', data: over }]);

export const steps = buildPlan(genops());

export function stepOf(all: Step[], id: string): Step {
  const step = all.find((one) => one.id === id);
  if (!step) throw new Error(`no step ${id}`);
  return step;
}

export const releaseOf = (all: Step[], id: string): ReleaseStep => stepOf(all, `release/${id}`) as ReleaseStep;
export const stack = (config: Config): ReleaseStep => releaseOf(buildPlan(config), 'kube-prometheus-stack');
export const specOf = (config: Config): JsonMap => mapAt(stack(config).values, 'prometheus', 'prometheusSpec');

export function configured(id: ComponentId, config: Config): JsonMap {
  const component = COMPONENTS.find((one) => one.id === id);
  if (!component) throw new Error(`no component ${id}`);
  return inputOf(config, component).configuration;
}

export const gateway = (over: JsonMap = {}): JsonMap => configured('opentelemetry-collector', genops(over));
export const pipeline = (config: JsonMap, id: string, side: string): unknown[] =>
  listAt(config, 'service', 'pipelines', id, side);

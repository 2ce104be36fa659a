import { at, mapAt } from '../../../src/core/json.ts';
import type { Json, JsonMap, KubeObject } from '../../../src/core/types.ts';
import { buildPlan } from '../../../src/engine/plan/index.ts';
import type { Step } from '../../../src/engine/steps/index.ts';
import type { ReleaseStep } from '../../../src/engine/steps/release.ts';
import type { Config } from '../../../src/profile/schema.ts';

/** A plan with lookups by step ID. */
export function planOf(config: Config) {
  const steps = buildPlan(config);
  const step = (id: string): Step => {
    const found = steps.find((one) => one.id === id);
    if (!found) throw new Error(`the plan has no step ${id}, only ${steps.map((one) => one.id).join(', ')}`);
    return found;
  };
  const release = (id: string): ReleaseStep => {
    const found = step(`release/${id}`);
    if (found.kind !== 'release') throw new Error(`${id} is not a release`);
    return found;
  };
  return {
    steps,
    ids: steps.map((one) => one.id),
    step,
    release,
    /** The values of a release at a path. */
    values: (id: string, ...path: string[]): JsonMap => mapAt(release(id).values, ...path),
    /** Objects of a step, optionally of one kind. */
    objects(id: string, kind?: string): KubeObject[] {
      const found = step(id);
      return found.kind === 'objects' ? found.objects.filter((object) => !kind || object.kind === kind) : [];
    },
  };
}

/** The value at a path of an object. */
export function inside(object: KubeObject | undefined, ...path: string[]): Json | undefined {
  return at(object, ...path);
}

import { at, mapAt } from '../../../src/core/json.ts';
import type { Json, JsonMap, KubeObject } from '../../../src/core/types.ts';
import { buildPlan } from '../../../src/engine/plan/index.ts';
import type { Step } from '../../../src/engine/steps/index.ts';
import type { ReleaseStep } from '../../../src/engine/steps/release.ts';
import type { Config } from '../../../src/profile/schema.ts';

/** A plan, to be asked by the ids of its steps. */
export function planOf(config: Config) {
  const steps = buildPlan(config);
  const step = (id: string): Step => {
    const found = steps.find((one) => one.id === id);
    if (!found) throw new Error(`the plan has no step ${id}, only ${steps.map((one) => one.id).join(', ')}`);
    return found;
  };
  const release = (id: string): ReleaseStep => {
    const found = step(`release/${id}`);
    if (found.kind !== 'release') throw new Error(`${id} is no release`);
    return found;
  };
  return {
    steps,
    ids: steps.map((one) => one.id),
    step,
    release,
    /** Values below a path of a release. */
    values: (id: string, ...path: string[]): JsonMap => mapAt(release(id).values, ...path),
    /** Objects of a step, of one kind where that is asked. */
    objects(id: string, kind?: string): KubeObject[] {
      const found = step(id);
      return found.kind === 'objects' ? found.objects.filter((object) => !kind || object.kind === kind) : [];
    },
  };
}

/** What stands at a path of an object. */
export function inside(object: KubeObject | undefined, ...path: string[]): Json | undefined {
  return at(object as unknown as JsonMap | undefined, ...path);
}

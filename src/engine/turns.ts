import { availableParallelism } from 'node:os';
import PQueue from 'p-queue';
import type { Helm, Target } from '../adapters/helm.ts';
import type { Step } from './types.ts';

/**
 * helm, as many at once as this machine can run: each keeps a processor busy while it renders, and more of them would hold up the one
 * that others wait for, an operator's. That one waits for nobody, and the others leave it the processor.
 */
export function inTurns(helm: Helm, steps: Step[]): Helm {
  const queue = new PQueue({ concurrency: Math.max(2, availableParallelism()) });
  const releases = steps.flatMap((step) => (step.kind === 'release' ? [{ ...step, behind: dependents(step.id, steps) }] : []));
  // What comes at the very end needs all of them alike.
  const least = Math.min(...releases.map(({ behind }) => behind));
  const isAwaited = (target: Target): boolean =>
    releases.some(({ release, namespace, behind }) => release === target.release && namespace === target.namespace && behind > least);
  const anyAwaited = releases.some(({ behind }) => behind > least);
  return {
    ...helm,
    upgrade: (target, chart, values) =>
      isAwaited(target) ? helm.upgrade(target, chart, values) : queue.add(() => helm.upgrade(target, chart, values, { background: anyAwaited })),
  };
}

/** How many steps need a step, through others, too. */
function dependents(id: string, steps: Step[]): number {
  const found = new Set([id]);
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const step of steps) if (step.needs.some((need) => found.has(need))) found.add(step.id);
  }
  return found.size - 1;
}

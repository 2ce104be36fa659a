import { PHASES, type Phase } from '../parts/types.ts';
import { usageError } from '../core/errors.ts';
import type { Step } from './types.ts';

export interface PhaseFlags {
  only?: string[] | undefined;
  from?: string | undefined;
  skip?: string[] | undefined;
}

/**
 * Steps that `--only`, `--from` and `--skip` leave out. The namespace always takes part: the lock lives in it.
 * What is no longer wanted goes only with the whole plan: what takes its place may be in a phase that is left out.
 * @throws ObsError (usage) for an unknown phase
 */
export function excludedSteps(steps: Step[], flags: PhaseFlags): Set<string> {
  for (const name of [...(flags.only ?? []), ...(flags.skip ?? []), ...(flags.from ? [flags.from] : [])]) {
    if (!PHASES.includes(name as Phase))
      throw usageError(`there is no phase "${name}"`, `phases: ${PHASES.join(', ')}`);
  }
  const from = flags.from ? PHASES.indexOf(flags.from as Phase) : 0;
  const out = steps.filter(({ phase }) => {
    if (phase === 'namespaces') return false;
    if (flags.only?.length && !flags.only.includes(phase)) return true;
    return PHASES.indexOf(phase) < from || (flags.skip ?? []).includes(phase);
  });
  const ids = new Set(out.map((step) => step.id));
  for (const step of steps) if (step.kind === 'stale' && step.needs.some((id) => ids.has(id))) ids.add(step.id);
  return ids;
}

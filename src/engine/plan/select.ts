import { PHASES, type Phase } from '../../parts/types.ts';
import { usageError } from '../../core/errors.ts';
import { type Step, stepsOf } from '../steps/index.ts';

export interface PhaseFlags {
  only?: string[] | undefined;
  from?: string | undefined;
  skip?: string[] | undefined;
}

/** @throws ObsError (usage) for an unknown phase */
export function checkPhases({ only = [], from, skip = [] }: PhaseFlags): void {
  const unknown = [...only, ...skip, ...(from ? [from] : [])].find((name) => !PHASES.includes(name as Phase));
  if (unknown) throw usageError(`there is no phase "${unknown}"`, `phases: ${PHASES.join(', ')}`);
}

/** The namespace holds the lock, so it always runs; pruning needs the whole plan. @throws ObsError (usage) */
export function excludedSteps(steps: Step[], flags: PhaseFlags): Set<string> {
  checkPhases(flags);
  const from = flags.from ? PHASES.indexOf(flags.from as Phase) : 0;
  const out = steps.filter(({ phase }) => {
    if (phase === 'namespaces') return false;
    if (flags.only?.length && !flags.only.includes(phase)) return true;
    return PHASES.indexOf(phase) < from || (flags.skip ?? []).includes(phase);
  });
  const ids = new Set(out.map((step) => step.id));
  for (const step of stepsOf(steps, 'prune')) if (step.needs.some((id) => ids.has(id))) ids.add(step.id);
  return ids;
}

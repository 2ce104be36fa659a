import type { StepBase, StepKind } from './types.ts';

/** Checks instead of creating: preflight and verify. run.ts runs it with the doctor that the caller passes in. */
export interface GateStep extends StepBase {
  kind: 'gate';
  gate: 'preflight' | 'verify';
}

export const gate: StepKind<GateStep> = {
  inputs: (step) => step.gate,
  observe: () => Promise.resolve({ state: 'absent', changes: [] }),
  apply: () => Promise.resolve(),
};

import type { Step } from './steps/index.ts';

export type EngineEvent =
  | { type: 'plan'; steps: { id: string; phase: string; title: string }[] }
  | { type: 'start'; id: string }
  | { type: 'progress'; id: string; detail: string }
  /** `unchanged`: the live state was right already. */
  | { type: 'done'; id: string; result: 'applied' | 'unchanged' | 'skipped'; ms: number; detail?: string }
  | { type: 'failed'; id: string; ms: number; error: unknown }
  | { type: 'notice'; detail: string };

export type Emit = (event: EngineEvent) => void;

export function planEvent(steps: Step[]): EngineEvent {
  return { type: 'plan', steps: steps.map(({ id, phase, title }) => ({ id, phase, title })) };
}

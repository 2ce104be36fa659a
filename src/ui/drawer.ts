import type { Emit, EngineEvent } from '../engine/events.ts';

/** Draws the engine's events; `close` waits until everything is on the screen. */
export interface Drawer {
  emit: Emit;
  close: () => Promise<void>;
}

/** Time and outcome of a finished step, shown after its title. */
export function resultText(event: Extract<EngineEvent, { type: 'done' }>): string {
  const time = event.ms >= 100 ? `${(event.ms / 1000).toFixed(1)} s` : '';
  const what = event.detail ?? (event.result === 'applied' ? '' : event.result);
  return [time, what].filter(Boolean).join(', ');
}

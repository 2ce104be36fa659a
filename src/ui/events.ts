import type { Emit, EngineEvent } from '../engine/events.ts';
import { describe } from '../app/exit.ts';
import { redact } from '../core/redact.ts';
import { paint } from './paint.ts';

/** Draws the engine's events; `close` waits until everything is on the screen. */
export interface Drawer {
  emit: Emit;
  close: () => Promise<void>;
}

export async function drawer(json: boolean): Promise<Drawer> {
  if (json) return jsonDrawer();
  if (process.stderr.isTTY && process.env['TERM'] !== 'dumb') {
    const { taskDrawer } = await import('./tasks.ts');
    return taskDrawer();
  }
  return plainDrawer();
}

/** What stands behind a finished step's title. */
export function resultText(event: Extract<EngineEvent, { type: 'done' }>): string {
  const time = event.ms >= 100 ? `${(event.ms / 1000).toFixed(1)} s` : '';
  const what = event.detail ?? (event.result === 'applied' ? '' : event.result);
  return [time, what].filter(Boolean).join(', ');
}

/** One JSON object a line on stdout. */
function jsonDrawer(): Drawer {
  const write = (event: object): void =>
    void process.stdout.write(`${redact(JSON.stringify({ time: new Date().toISOString(), ...event }))}\n`);
  return {
    emit: (event: EngineEvent) =>
      write(event.type === 'failed' ? { ...event, error: describe(event.error).json } : event),
    close: () => Promise.resolve(),
  };
}

/** Plain lines on stderr, for logs and CI. Progress is shown when it changes, at most once in five seconds a step. */
function plainDrawer(): Drawer {
  const titles = new Map<string, string>();
  const shown = new Map<string, number>();
  const line = (text: string): void => void process.stderr.write(`${redact(text)}\n`);
  const emit = (event: EngineEvent): void => {
    if (event.type === 'plan') for (const step of event.steps) titles.set(step.id, step.title);
    else if (event.type === 'notice') line(event.detail);
    else if (event.type === 'progress') {
      const now = Date.now();
      if (now - (shown.get(event.id) ?? 0) < 5_000) return;
      shown.set(event.id, now);
      line(`  … ${titles.get(event.id)}: ${event.detail}`);
    } else if (event.type === 'done') {
      const mark = event.result === 'applied' ? paint.ok('✔') : paint.dim('=');
      line(`${mark} ${titles.get(event.id)} ${paint.dim(resultText(event))}`);
    } else if (event.type === 'failed') line(`${paint.fail('✖')} ${titles.get(event.id)}`);
  };
  return { emit, close: () => Promise.resolve() };
}

import { redact } from '../core/redact.ts';
import type { EngineEvent } from '../engine/events.ts';
import { describe, resultText } from './describe.ts';
import { paint } from './paint.ts';
import type { Drawer } from './tasks.ts';

/** Draws as JSON lines, as a live list on a terminal, or as plain lines. */
export async function drawer(json: boolean): Promise<Drawer> {
  if (json) return jsonDrawer();
  if (process.stderr.isTTY && process.env['TERM'] !== 'dumb') {
    const { taskDrawer } = await import('./tasks.ts');
    return taskDrawer();
  }
  return plainDrawer();
}

/** One JSON object per line on stdout. */
function jsonDrawer(): Drawer {
  const write = (event: object): void =>
    void process.stdout.write(`${redact(JSON.stringify({ time: new Date().toISOString(), ...event }))}\n`);
  return {
    emit: (event: EngineEvent) =>
      write(event.type === 'failed' ? { ...event, error: describe(event.error).json } : event),
    close: () => Promise.resolve(),
  };
}

/** Plain lines on stderr, for logs and CI; progress of a step at most every five seconds. */
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
      line(`${mark} ${titles.get(event.id)} ${paint.dim(resultText(event))}`.trimEnd());
    } else if (event.type === 'failed') line(`${paint.fail('✖')} ${titles.get(event.id)}`);
  };
  return { emit, close: () => Promise.resolve() };
}

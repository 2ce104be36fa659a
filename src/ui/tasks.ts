import { Listr, ListrLogger, type ListrTask, type ListrTaskWrapper, ProcessOutput } from 'listr2';
import { redact } from '../core/redact.ts';
import type { Emit, EngineEvent } from '../engine/events.ts';
import { PHASES } from '../parts/types.ts';
import { resultText } from './describe.ts';
import { paint } from './paint.ts';

/** Draws the engine's events; `close` waits until everything is on the screen. */
export interface Drawer {
  emit: Emit;
  close: () => Promise<void>;
}

type Wrapper = ListrTaskWrapper<unknown, never, never>;

interface Row {
  title: string;
  /** The title with time and outcome; dim until the step starts. */
  shown: string;
  wrapper?: Wrapper;
  settle: () => void;
  fail: (error: Error) => void;
  settled: Promise<void>;
}

/** A live list by listr2. Each step is a task whose promise an engine event settles. */
export function taskDrawer(): Drawer {
  const rows = new Map<string, Row>();
  let drawing: Promise<unknown> = Promise.resolve();
  const emit = (event: EngineEvent): void => {
    if (event.type === 'plan') {
      // Before drawing: an event may arrive before listr2 has created its task.
      for (const step of event.steps) rows.set(step.id, newRow(step.title));
      drawing = draw(event.steps, rows);
      return;
    }
    if (event.type === 'notice') {
      for (const row of rows.values())
        if (row.wrapper?.task.isPending()) return void (row.wrapper.output = paint.warn(event.detail));
      return void process.stderr.write(`${event.detail}\n`);
    }
    const row = rows.get(event.id);
    if (!row) return;
    if (event.type === 'start') show(row, row.title);
    else if (event.type === 'progress') {
      if (row.wrapper) row.wrapper.output = paint.dim(redact(event.detail));
    } else if (event.type === 'done') {
      show(row, `${row.title} ${paint.dim(resultText(event))}`);
      row.settle();
    } else {
      show(row, row.title);
      row.fail(new Error(row.title));
    }
  };
  return {
    emit,
    async close() {
      // After a failure, steps that never started are marked as such.
      for (const row of rows.values()) {
        if (row.wrapper?.task.isPending() ?? true) row.wrapper?.skip(`${row.title} (not started)`);
        row.settle();
      }
      await drawing.catch(() => {});
    },
  };
}

function show(row: Row, text: string): void {
  row.shown = text;
  if (row.wrapper) row.wrapper.title = text;
}

function newRow(title: string): Row {
  const row = { title, shown: paint.dim(title) } as Row;
  row.settled = new Promise((resolve, reject) => {
    row.settle = () => resolve();
    row.fail = reject;
  });
  row.settled.catch(() => {});
  return row;
}

function draw(steps: { id: string; phase: string; title: string }[], rows: Map<string, Row>): Promise<unknown> {
  const tasks: ListrTask[] = PHASES.filter((phase) => steps.some((step) => step.phase === phase)).map((phase) => ({
    title: phase,
    task: (_ctx, parent) =>
      parent.newListr(
        steps
          .filter((step) => step.phase === phase)
          .map((step): ListrTask => {
            const row = rows.get(step.id) ?? newRow(step.title);
            return {
              title: row.shown,
              task: async (_c, wrapper) => {
                row.wrapper = wrapper as Wrapper;
                row.wrapper.title = row.shown;
                await row.settled;
              },
            };
          }),
        { concurrent: true, exitOnError: false, rendererOptions: { collapseSubtasks: false } },
      ),
  }));
  const output = new ProcessOutput(process.stderr, process.stderr);
  const list = new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    renderer: 'default',
    rendererOptions: {
      logger: new ListrLogger({ processOutput: output }),
      collapseErrors: false,
      showErrorMessage: false,
      timer: { condition: false, field: '' },
    },
  });
  return list.run();
}

import { beforeEach } from 'vitest';

/** Prints failures immediately: vitest reports them only at the end of the run, or never if it is interrupted. */
beforeEach(({ onTestFailed, task }) => {
  onTestFailed(() => {
    const errors = (task.result?.errors ?? []).map(({ message, diff, stack }) => [
      message,
      diff,
      stack?.split('\n').find((line) => line.includes('.test.ts')),
    ]);
    process.stderr.write(`\nFAILED ${task.name}\n${errors.flat().filter(Boolean).join('\n')}\n\n`);
  });
});

import { beforeEach } from 'vitest';

/** vitest tells what failed when all have ended: half an hour later, or never, when somebody ends it before. */
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

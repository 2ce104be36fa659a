import { vi } from 'vitest';

// Vitest's fake timers replace the global functions only: without this, `vi.useFakeTimers()` would not control `sleep`.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value?: unknown): Promise<unknown> =>
    new Promise((resolve) => globalThis.setTimeout(resolve, ms, value)),
}));

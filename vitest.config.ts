import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // vitest leaves one core free, which on the two of a small machine is half of them.
    maxWorkers: '100%',
    projects: [
      { test: { name: 'unit', include: ['test/{unit,golden,doctor}/**/*.test.ts'], testTimeout: 30_000 } },
      { test: { name: 'connect', include: ['test/connect/**/*.test.ts'] } },
      {
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          setupFiles: ['test/cluster/support/setup.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { concurrent: false },
        },
      },
    ],
  },
});

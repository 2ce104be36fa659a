import { defineConfig } from 'vitest/config';

const cluster = {
  setupFiles: ['test/cluster/support/setup.ts'],
  testTimeout: 600_000,
  hookTimeout: 600_000,
  sequence: { concurrent: false },
};

export default defineConfig({
  test: {
    globalSetup: ['scripts/charts.mjs'],
    // vitest leaves one core free, which on the two of a small machine is half of them.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,golden,doctor}/**/*.test.ts'],
          setupFiles: ['test/support/fakeableTimers.ts'],
          testTimeout: 30_000,
        },
      },
      { test: { name: 'connect', include: ['test/connect/**/*.test.ts'] } },
      // In namespaces of their own, and blind to what others do beside them: two files at a time, which mostly wait for pods.
      { test: { ...cluster, name: 'cluster', include: ['test/cluster/*.test.ts'], maxWorkers: 2 } },
      // These change what a cluster has once (definitions, the default StorageClass), judge it as a whole, or need all of the machine.
      { test: { ...cluster, name: 'cluster-alone', include: ['test/cluster/alone/*.test.ts'], fileParallelism: false } },
    ],
  },
});

import type { Store } from './types.ts';
import { backupVolume, hasClaim, planVolume, runActions } from './volume.ts';

/**
 * Traces on a claim. Finished blocks are written once, so they are copied while Tempo runs; its write-ahead log is
 * copied while it is stopped. The generator's log of metrics is left out: they are in Prometheus, and Tempo starts it empty.
 */
export const tempoStore: Store = {
  id: 'tempo',
  title: 'Tempo: traces',
  enabled: (config) => config.tempo.enabled,
  async backup(ctx) {
    if (await hasClaim(ctx, 'tempo')) await backupVolume(ctx, 'tempo', ['blocks'], ['generator/wal']);
  },
  plan: (ctx) => planVolume(ctx, 'tempo'),
  restore: async (ctx) => runActions(ctx, await planVolume(ctx, 'tempo'), false),
};

import type { Store } from './types.ts';
import { backupVolume, hasClaim, planVolume, runActions } from './volume.ts';

/**
 * Logs on a claim. Chunks and shipped index files are written once, so they are copied while Loki runs; its
 * write-ahead log and the index in the making are copied while it is stopped. The cache of downloaded index
 * files is left out: Loki fetches them from its own store.
 */
export const lokiStore: Store = {
  id: 'loki',
  title: 'Loki: logs',
  enabled: (config) => config.loki.enabled,
  async backup(ctx) {
    if (await hasClaim(ctx, 'loki')) await backupVolume(ctx, 'loki', ['chunks'], ['tsdb-shipper-cache']);
  },
  plan: (ctx) => planVolume(ctx, 'loki'),
  restore: async (ctx) => runActions(ctx, await planVolume(ctx, 'loki'), false),
};

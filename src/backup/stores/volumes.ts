import { backupVolume, hasClaim } from '../claims/copy.ts';
import { planVolume } from '../claims/replace.ts';
import { type Store, runActions } from '../types.ts';

interface Volume {
  id: 'loki' | 'tempo';
  title: string;
  /** Files written once, so they can be copied while the component runs. */
  immutable: string[];
  /** Rebuilt by the component, so not copied. */
  excluded: string[];
}

/** The claim of a component that is stopped while its write-ahead log is copied. */
function volumeStore({ id, title, immutable, excluded }: Volume): Store {
  return {
    id,
    title,
    enabled: (config) => config[id].enabled,
    async backup(ctx) {
      if (await hasClaim(ctx, id)) await backupVolume(ctx, id, immutable, excluded);
    },
    plan: (ctx) => planVolume(ctx, id),
    restore: async (ctx) => runActions(ctx, await planVolume(ctx, id), false),
  };
}

/** Excludes the cache of index files: Loki downloads them again from its own store. */
export const lokiStore = volumeStore({
  id: 'loki',
  title: 'Loki: logs',
  immutable: ['chunks'],
  excluded: ['tsdb-shipper-cache'],
});

/** Excludes the metrics generator's log: its samples are in Prometheus, and Tempo starts with an empty one. */
export const tempoStore = volumeStore({
  id: 'tempo',
  title: 'Tempo: traces',
  immutable: ['blocks'],
  excluded: ['generator/wal'],
});

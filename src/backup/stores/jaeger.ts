import type { Config } from '../../profile/schema.ts';
import { placeOf } from '../../parts/catalog.ts';
import type { Action, Store } from '../types.ts';

/** Traces in Jaeger: none of them can be copied from here, and both the backup and the restore say so. */
export const jaegerStore: Store = {
  id: 'jaeger',
  title: 'Jaeger: traces',
  enabled: (config) => config.jaeger.enabled,
  backup(ctx) {
    ctx.warnings.push(`Jaeger keeps its traces in ${where(ctx.config)}`);
    return Promise.resolve();
  },
  plan: (ctx) => Promise.resolve([skipped(ctx.config)]),
  restore: () => Promise.resolve({ done: 0, failed: [] }),
};

function where({ jaeger: { storage, endpoint } }: Config): string {
  return storage === 'memory'
    ? 'memory, from where nothing can be copied: they are not in the backup'
    : `OpenSearch at ${endpoint}: they are not in the backup, use the snapshots of OpenSearch`;
}

function skipped(config: Config): Action {
  const { workload, namespace } = placeOf(config, 'jaeger');
  return {
    object: `${workload.kind} ${namespace}/${workload.name}`,
    action: 'skip',
    detail: `traces are in ${where(config)}`,
  };
}

import type { Config } from '../../profile/schema.ts';
import { placeOf } from '../../parts/catalog.ts';
import type { Action, Store } from '../types.ts';

/** Cannot copy the traces of Jaeger: the backup warns, and the restore lists them as skipped. */
export const jaegerStore: Store = {
  id: 'jaeger',
  title: 'Jaeger: traces',
  enabled: (config) => config.jaeger.enabled,
  backup(ctx) {
    ctx.warnings.push(`Jaeger stores traces in ${where(ctx.config)}`);
    return Promise.resolve();
  },
  plan: (ctx) => Promise.resolve([skipped(ctx.config)]),
  restore: () => Promise.resolve({ done: 0, failed: [] }),
};

function where({ jaeger: { storage, endpoint } }: Config): string {
  return storage === 'memory'
    ? 'memory: they cannot be copied and are not in the backup'
    : `OpenSearch at ${endpoint}: they are not in the backup; use OpenSearch snapshots`;
}

function skipped(config: Config): Action {
  const { workload, namespace } = placeOf(config, 'jaeger');
  return {
    object: `${workload.kind} ${namespace}/${workload.name}`,
    action: 'skip',
    detail: `traces are in ${where(config)}`,
  };
}

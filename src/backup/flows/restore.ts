import { ObsError, cancelled, usageError } from '../../core/errors.ts';
import { formatBytes } from '../../core/quantity.ts';
import { plural } from '../../core/text.ts';
import { type OpenBackup, isArchive, openBackup } from '../archive/archive.ts';
import { cleanLeftovers } from './leftovers.ts';
import { CONFIG_FILE, type Manifest } from '../archive/manifest.ts';
import { podExecFor } from '../../adapters/podExec.ts';
import { STORES } from '../stores/index.ts';
import {
  type Action,
  type Deps,
  type Outcome,
  type RestoreContext,
  type Store,
  TIMEOUT,
  checkpoint,
} from '../types.ts';
import { verifyBackup } from '../archive/verify.ts';

export interface RestoreOptions {
  path: string;
  dryRun?: boolean | undefined;
  only?: string[] | undefined;
  yes?: boolean | undefined;
  includeSecrets?: boolean | undefined;
}

/** `config` is undefined when genai-obs is not installed. */
export type RestoreDeps = Omit<Deps, 'config'> & { config: Deps['config'] | undefined };

export interface RestoreResult {
  manifest: Manifest;
  plan: { store: string; actions: Action[] }[];
  restored: Record<string, Outcome>;
  warnings: string[];
}

/**
 * Verifies the backup, shows the plan, then restores store by store.
 * @throws ObsError before anything changes when the backup is damaged or the stack is not installed;
 *   at the end when Grafana, Alertmanager or the API server refused single objects
 */
export async function restoreAll(
  deps: RestoreDeps,
  options: RestoreOptions,
  show: (plan: RestoreResult['plan'], manifest: Manifest) => void,
  stores: Store[] = STORES,
): Promise<RestoreResult> {
  const chosen = choose(stores, options.only);
  deps.report(`reading ${options.path}`);
  const backup = await openBackup(options.path);
  try {
    await verifyBackup(backup, deps.report);
    const { config } = deps;
    if (!config) throw notInstalled(backup, options.path);
    const ctx: RestoreContext = {
      timeout: TIMEOUT,
      exec: podExecFor(deps.kube.context),
      ...deps,
      config,
      namespace: config.namespace,
      includeSecrets: options.includeSecrets === true,
      warnings: warningsFor(backup.manifest, config.namespace),
      backup,
    };
    const used = chosen.filter((store) => store.enabled(config));
    const plan: RestoreResult['plan'] = [];
    for (const store of used) plan.push({ store: store.id, actions: await store.plan(ctx) });
    show(plan, backup.manifest);
    if (options.dryRun) return { manifest: backup.manifest, plan, restored: {}, warnings: ctx.warnings };
    const work = plan.flatMap(({ actions }) => actions).filter((action) => action.run);
    if (work.length > 0 && !options.yes && !(await ctx.confirm('Restore this?')))
      throw cancelled('nothing was changed', `genai-obs restore ${options.path}`);
    const restored = await runStores(ctx, used);
    return { manifest: backup.manifest, plan, restored, warnings: ctx.warnings };
  } finally {
    await backup.close();
  }
}

async function runStores(ctx: RestoreContext, stores: Store[]): Promise<Record<string, Outcome>> {
  await cleanLeftovers(ctx);
  const restored: Record<string, Outcome> = {};
  for (const store of stores) {
    checkpoint(ctx);
    const outcome = await store.restore(ctx);
    restored[store.id] = outcome;
    if (outcome.done > 0) ctx.report(`${store.title}: ${outcome.done} restored`);
  }
  const failed = Object.values(restored).flatMap((outcome) => outcome.failed);
  const [first] = failed;
  if (first)
    throw new ObsError({
      what: `${plural(failed.length, 'object')} could not be restored; everything else is restored`,
      object: failed.map(({ object }) => object).join(', '),
      cause: `${first.object}: ${first.cause}`,
      next: 'fix the cause, then run the same restore again: it skips what is already restored',
    });
  return restored;
}

function choose(stores: Store[], only: string[] | undefined): Store[] {
  if (!only?.length) return stores;
  const ids = stores.map((store) => store.id);
  const unknown = only.find((id) => !ids.includes(id));
  if (unknown) throw usageError(`unknown store "${unknown}"`, `choose from: ${ids.join(', ')}`);
  return stores.filter((store) => only.includes(store.id));
}

function notInstalled(backup: OpenBackup, path: string): ObsError {
  const unpack = isArchive(path)
    ? `tar -xzf ${path} ${CONFIG_FILE} && genai-obs install -f ${CONFIG_FILE}`
    : `genai-obs install -f ${path}/${CONFIG_FILE}`;
  return new ObsError({
    what: 'genai-obs is not installed in this cluster: restore needs an installation',
    object: `backup of namespace ${backup.manifest.namespace}, ${backup.manifest.createdAt}`,
    next: `${unpack}; then run the same restore again`,
  });
}

function warningsFor(manifest: Manifest, namespace: string): string[] {
  return manifest.namespace === namespace
    ? []
    : [`the backup is from namespace ${manifest.namespace}; it is restored into ${namespace}`];
}

export function planText(plan: RestoreResult['plan'], { createdAt, namespace, profile, tool }: Manifest): string {
  const lines = [`Backup of ${createdAt}: namespace ${namespace}, profile ${profile}, genai-obs ${tool}`];
  for (const { store, actions } of plan) {
    if (actions.length === 0) continue;
    lines.push(`${store}:`);
    for (const { action, object, detail, bytes } of actions) {
      const size = bytes === undefined ? '' : `, ${formatBytes(bytes)}`;
      lines.push(`  ${action.padEnd(8)} ${object}${size}${detail ? ` (${detail})` : ''}`);
    }
  }
  return lines.join('\n');
}

import type { Kube } from '../adapters/kube.ts';
import type { Kubectl } from '../adapters/kubectl.ts';
import { cancelled, messageOf } from '../core/errors.ts';
import type { Config } from '../profile/schema.ts';
import type { OpenBackup } from './archive/archive.ts';
import type { PodExec } from '../adapters/podExec.ts';
import type { Writer } from './archive/writer.ts';

export interface Deps {
  kube: Kube;
  kubectl: Pick<Kubectl, 'portForward'>;
  /** Runs scripts in pods. Default: `kubectl exec` with the context of `kube`. */
  exec?: PodExec;
  config: Config;
  /** Aborted on Ctrl-C. The run then stops its copy and starts every stopped component again. */
  signal: AbortSignal;
  report: (text: string) => void;
  confirm: (message: string) => Promise<boolean>;
  /** Called only when secrets are included. */
  passphrase: () => Promise<string>;
  /** Milliseconds that a workload may take to stop or start. Default: 5 minutes. */
  timeout?: number;
}

export interface Context extends Deps {
  exec: PodExec;
  /** Home namespace of the installation. Components may be in others (see `placeOf`). */
  namespace: string;
  timeout: number;
  includeSecrets: boolean;
  /** Shown to the user after a successful run. */
  warnings: string[];
}

export interface BackupContext extends Context {
  out: Writer;
  /** Seconds for which a component was stopped. */
  pauses: Record<string, number>;
}

export interface RestoreContext extends Context {
  backup: OpenBackup;
}

/** One object of a restore: `--dry-run` lists it, `run` restores it. */
export interface Action {
  object: string;
  action: 'replace' | 'create' | 'update' | 'same' | 'skip';
  detail?: string;
  bytes?: number;
  /** Absent for `same` and `skip`. */
  run?: () => Promise<void>;
}

/** Data that a backup contains. A new store is one file in stores/ and one line in stores/index.ts. */
export interface Store {
  id: string;
  title: string;
  enabled: (config: Config) => boolean;
  backup: (ctx: BackupContext) => Promise<void>;
  plan: (ctx: RestoreContext) => Promise<Action[]>;
  restore: (ctx: RestoreContext) => Promise<Outcome>;
}

export interface Outcome {
  done: number;
  failed: { object: string; cause: string }[];
}

export const TIMEOUT = 300_000;

/** @throws ObsError (cancelled) after Ctrl-C */
export function checkpoint(ctx: { signal: AbortSignal }): void {
  if (ctx.signal.aborted) throw cancelled('cancelled', 'run the same command again');
}

/** Runs actions one after another. With `continueOnError`, the outcome lists the failed ones, and the rest runs. */
export async function runActions(ctx: RestoreContext, actions: Action[], continueOnError: boolean): Promise<Outcome> {
  const outcome: Outcome = { done: 0, failed: [] };
  for (const { object, run } of actions) {
    if (!run) continue;
    try {
      await run();
      outcome.done += 1;
    } catch (error) {
      if (!continueOnError || ctx.signal.aborted) throw error;
      outcome.failed.push({ object, cause: messageOf(error) });
    }
  }
  return outcome;
}

import type { Kube } from '../adapters/kube.ts';
import type { Kubectl } from '../adapters/kubectl.ts';
import { cancelled } from '../core/errors.ts';
import type { Config } from '../profile/schema.ts';
import type { OpenBackup } from './archive/archive.ts';
import type { PodExec } from '../adapters/podExec.ts';
import type { Writer } from './archive/writer.ts';

/** What a backup and a restore need from outside; the commands wire it. */
export interface Deps {
  kube: Kube;
  kubectl: Pick<Kubectl, 'portForward'>;
  /** Scripts in pods; default: the kubectl of the context. */
  exec?: PodExec;
  /** The configuration of the installation, from its journal. */
  config: Config;
  /** Aborted on Ctrl-C: what runs is ended, everything is put back as it was. */
  signal: AbortSignal;
  report: (text: string) => void;
  confirm: (message: string) => Promise<boolean>;
  /** Asked for only when secrets are included. */
  passphrase: () => Promise<string>;
  /** Milliseconds a workload may take to stop or start. */
  timeout?: number;
}

export interface Context extends Deps {
  exec: PodExec;
  /** Home of the installation; a component's own is that of its place. */
  namespace: string;
  timeout: number;
  includeSecrets: boolean;
  /** Things the user should know although the run went well. */
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

/** One object of a restore: what `--dry-run` lists and `run` does. */
export interface Action {
  object: string;
  action: 'replace' | 'create' | 'update' | 'same' | 'skip';
  detail?: string;
  bytes?: number;
  /** Absent when there is nothing to do. */
  run?: () => Promise<void>;
}

/** Something with data of its own. A new one is a file and a line in stores.ts; restores run in that order. */
export interface Store {
  id: string;
  title: string;
  /** Whether an installation with this configuration has it. */
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
  if (ctx.signal.aborted) throw cancelled('stopped', 'run the same command again');
}

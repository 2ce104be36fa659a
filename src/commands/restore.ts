import { explainKube } from '../adapters/kube.ts';
import { type Session, journalOf, openSession } from '../app/session.ts';
import { softStop } from '../app/signals.ts';
import type { Manifest } from '../backup/archive/manifest.ts';
import { passphraseFrom } from '../backup/archive/passphrase.ts';
import { type RestoreDeps, type RestoreResult, planText, restoreAll } from '../backup/flows/restore.ts';
import { EXIT, ObsError, cancelled } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { takeLock } from '../engine/state/lock.ts';
import type { Config } from '../profile/schema.ts';
import { paint } from '../ui/paint.ts';
import { report } from './backup.ts';
import { verify } from './gates.ts';

export interface RestoreFlags {
  context?: string | undefined;
  namespace?: string | undefined;
  dryRun?: boolean | undefined;
  only?: string[] | undefined;
  includeSecrets?: boolean | undefined;
  passphraseFile?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

/** `genai-obs restore`; ends with the doctor. */
export async function restore(path: string, flags: RestoreFlags): Promise<number> {
  const { confirmOr, passwordOr } = await import('../ui/prompts.ts');
  const passphrase = passphraseFrom(
    flags.passphraseFile,
    (message) => passwordOr('GENAI_OBS_PASSPHRASE or --passphrase-file', message),
    false,
  );
  const session = await openSession(flags);
  const config = (await journalOf(session))?.config;
  const stop = softStop(() =>
    report('stopping after the current store is finished or rolled back; press Ctrl-C again to stop at once'),
  );
  const { dryRun, only, yes, includeSecrets, json } = flags;
  const deps: RestoreDeps = {
    ...session,
    config,
    signal: stop.signal,
    report,
    confirm: (message) => confirmOr('--yes', message),
    passphrase,
  };
  const lock = config && !dryRun ? await takeLock(session.kube, session.namespace, 'restore', report) : undefined;
  try {
    const result = await restoreAll(deps, { path, dryRun, only, yes, includeSecrets }, (plan, manifest) =>
      json ? undefined : showPlan(plan, manifest, flags),
    );
    const { manifest, plan, restored, warnings } = result;
    for (const text of warnings) process.stderr.write(`${paint.warn('note:')} ${redact(text)}\n`);
    if (!dryRun && config) await examine(session, config, stop.signal, result);
    if (json)
      process.stdout.write(`${redact(JSON.stringify({ backup: manifest.createdAt, plan, restored, warnings }))}\n`);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ObsError && error.exit === EXIT.cancelled && stop.signal.aborted)
      throw cancelled('stopped: every store is either restored or unchanged', 'run the same restore again');
    throw explainKube(error, session.kube, 'restoring');
  } finally {
    await lock?.release();
    stop.dispose();
  }
}

function showPlan(plan: RestoreResult['plan'], manifest: Manifest, flags: RestoreFlags): void {
  const text = `${redact(planText(plan, manifest))}\n`;
  if (flags.dryRun) process.stdout.write(text);
  else process.stderr.write(text);
}

async function examine(session: Session, config: Config, signal: AbortSignal, result: RestoreResult): Promise<void> {
  const done = Object.values(result.restored).reduce((sum, outcome) => sum + outcome.done, 0);
  const outcome =
    done > 0
      ? `${paint.ok('Restored')}: ${done} objects`
      : paint.ok('Nothing to restore: the stack matches the backup');
  process.stderr.write(`\n${outcome}. Running the doctor.\n`);
  await verify(session, config, signal, throttled(report));
  process.stderr.write(`${paint.ok('The stack is healthy.')}\n`);
}

/** At most one line every three seconds: the doctor reports each check. */
function throttled(show: (text: string) => void): (text: string) => void {
  let last = 0;
  return (text) => {
    if (Date.now() - last < 3_000) return;
    last = Date.now();
    show(text);
  };
}

import { softStop } from '../app/signals.ts';
import { installed, openSession } from '../app/session.ts';
import { explainKube } from '../adapters/kube.ts';
import { openBackup } from '../backup/archive/archive.ts';
import { type BackupOptions, type BackupResult, backupAll, recordBackup } from '../backup/flows/backup.ts';
import { passphraseFrom } from '../backup/archive/passphrase.ts';
import type { Deps } from '../backup/types.ts';
import { type Verified, verifyBackup } from '../backup/archive/verify.ts';
import { EXIT, ObsError, cancelled, usageError } from '../core/errors.ts';
import { formatBytes } from '../core/quantity.ts';
import { redact } from '../core/redact.ts';
import { takeLock } from '../engine/state/lock.ts';
import { paint } from '../ui/paint.ts';

export interface BackupFlags {
  context?: string | undefined;
  namespace?: string | undefined;
  output?: string | undefined;
  includeSecrets?: boolean | undefined;
  passphraseFile?: string | undefined;
  json?: boolean | undefined;
}

/** `genai-obs backup`. */
export async function backup(flags: BackupFlags): Promise<number> {
  if (!flags.output) throw usageError('backup needs a place to write to', 'genai-obs backup --output DIR');
  const { passwordOr } = await import('../ui/prompts.ts');
  const passphrase = passphraseFrom(
    flags.passphraseFile,
    (message) => passwordOr('GENAI_OBS_PASSPHRASE or --passphrase-file', message),
    true,
  );
  const session = await openSession(flags);
  const { config } = await installed(session);
  const stop = softStop(() => report('stopping: everything is put back first; press Ctrl-C again to stop at once'));
  let lock: Awaited<ReturnType<typeof takeLock>> | undefined;
  try {
    // Before the lock: nobody waits for somebody who types.
    if (flags.includeSecrets) await passphrase();
    lock = await takeLock(session.kube, session.namespace, 'backup', report);
    const result = await runBackup(
      { ...session, config, signal: stop.signal, report, confirm: () => Promise.resolve(true), passphrase },
      { output: flags.output, includeSecrets: flags.includeSecrets },
    );
    await recordBackup(session.kube, session.namespace, new Date());
    showBackup(result, flags.json === true);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ObsError && error.exit === EXIT.cancelled)
      throw cancelled(
        'stopped: no backup was written, and the cluster is as it was before',
        'genai-obs backup --output DIR',
      );
    throw explainKube(error, session.kube, 'backing up');
  } finally {
    await lock?.release();
    stop.dispose();
  }
}

/** The work of `backup`, with everything given. */
export function runBackup(deps: Deps, options: BackupOptions): Promise<BackupResult> {
  return backupAll(deps, options);
}

function showBackup(result: BackupResult, json: boolean): void {
  if (json) return void process.stdout.write(`${JSON.stringify(result)}\n`);
  const pauses = Object.entries(result.pauses).map(([id, seconds]) => `${id} ${seconds} s`);
  process.stderr.write(
    [
      '',
      `${paint.ok('Backed up')} in ${result.seconds} s: ${result.files} files, ${formatBytes(result.bytes)}, in ${result.path}`,
      ...(pauses.length ? [`  stopped for its copy   ${pauses.join(', ')}; collectors kept what arrived`] : []),
      ...result.warnings.map((text) => `${paint.warn('note:')} ${text}`),
      `  check it     genai-obs backup verify ${result.path}`,
      `  restore it   genai-obs restore ${result.path} --dry-run`,
      '',
    ].join('\n'),
  );
}

/** `genai-obs backup verify`. Exit code 1 when the backup is damaged. */
export async function verify(path: string, flags: { json?: boolean | undefined }): Promise<number> {
  const result = await runVerify(path, report);
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else
    process.stderr.write(
      `${paint.ok('The backup is whole')}: ${result.files} files, ${formatBytes(result.bytes)}, of ${result.createdAt}, namespace ${result.namespace}\n`,
    );
  return EXIT.ok;
}

/** @throws ObsError naming the first bad file */
export async function runVerify(
  path: string,
  tell: (text: string) => void,
): Promise<Verified & { createdAt: string; namespace: string }> {
  const opened = await openBackup(path);
  try {
    const verified = await verifyBackup(opened, tell);
    return { ...verified, createdAt: opened.manifest.createdAt, namespace: opened.manifest.namespace };
  } finally {
    await opened.close();
  }
}

/** Progress, on stderr: stdout is for data. */
export function report(text: string): void {
  process.stderr.write(`  ${paint.dim('…')} ${redact(text)}\n`);
}

import { explainKube } from '../adapters/kube.ts';
import { installed, openSession } from '../app/session.ts';
import { softStop } from '../app/signals.ts';
import { openBackup } from '../backup/archive/archive.ts';
import { passphraseFrom } from '../backup/archive/passphrase.ts';
import { verifyBackup } from '../backup/archive/verify.ts';
import { type BackupResult, backupAll, recordBackup } from '../backup/flows/backup.ts';
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

export async function backup(flags: BackupFlags): Promise<number> {
  if (!flags.output) throw usageError('backup needs an output directory or archive', 'genai-obs backup --output DIR');
  const { passwordOr } = await import('../ui/prompts.ts');
  const passphrase = passphraseFrom(
    flags.passphraseFile,
    (message) => passwordOr('GENAI_OBS_PASSPHRASE or --passphrase-file', message),
    true,
  );
  const session = await openSession(flags);
  const { config } = await installed(session);
  const stop = softStop(() => report('stopping after the cluster is restored; press Ctrl-C again to stop at once'));
  let lock: Awaited<ReturnType<typeof takeLock>> | undefined;
  try {
    // Before the lock, so that nothing waits for the prompt.
    if (flags.includeSecrets) await passphrase();
    lock = await takeLock(session.kube, session.namespace, 'backup', report);
    const result = await backupAll(
      { ...session, config, signal: stop.signal, report, confirm: () => Promise.resolve(true), passphrase },
      { output: flags.output, includeSecrets: flags.includeSecrets },
    );
    await recordBackup(session.kube, session.namespace, new Date());
    showBackup(result, flags.json === true);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ObsError && error.exit === EXIT.cancelled)
      throw cancelled('stopped: no backup was written and the cluster is unchanged', 'genai-obs backup --output DIR');
    throw explainKube(error, session.kube, 'backing up');
  } finally {
    await lock?.release();
    stop.dispose();
  }
}

function showBackup(result: BackupResult, json: boolean): void {
  if (json) return void process.stdout.write(`${JSON.stringify(result)}\n`);
  const { seconds, files, bytes, path, warnings } = result;
  const pauses = Object.entries(result.pauses).map(([id, pause]) => `${id} ${pause} s`);
  process.stderr.write(
    [
      '',
      `${paint.ok('Backed up')} in ${seconds} s: ${files} files, ${formatBytes(bytes)}, to ${path}`,
      ...(pauses.length ? [`  downtime     ${pauses.join(', ')}; the collectors buffered incoming data`] : []),
      ...warnings.map((text) => `${paint.warn('note:')} ${text}`),
      `  verify       genai-obs backup verify ${path}`,
      `  restore      genai-obs restore ${path} --dry-run`,
      '',
    ].join('\n'),
  );
}

/** `genai-obs backup verify`. @throws ObsError naming the first damaged file */
export async function verify(path: string, flags: { json?: boolean | undefined }): Promise<number> {
  const opened = await openBackup(path);
  try {
    const { createdAt, namespace } = opened.manifest;
    const result = { ...(await verifyBackup(opened, report)), createdAt, namespace };
    const size = `${result.files} files, ${formatBytes(result.bytes)}`;
    if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else
      process.stderr.write(
        `${paint.ok('The backup is intact')}: ${size}, created ${createdAt}, namespace ${namespace}\n`,
      );
    return EXIT.ok;
  } finally {
    await opened.close();
  }
}

/** Progress on stderr; stdout is for data. */
export function report(text: string): void {
  process.stderr.write(`  ${paint.dim('…')} ${redact(text)}\n`);
}

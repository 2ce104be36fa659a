import { type Command, Option } from '@commander-js/extra-typings';
import { guard } from '../app/guard.ts';
import { collect, context, json, namespace, verb, yes } from './options.ts';

const passphraseFile = () =>
  new Option('--passphrase-file <path>', 'file with the passphrase; or set GENAI_OBS_PASSPHRASE');

export function data(program: Command): void {
  const backup = verb(program, 'backup', 'Back up data, dashboards and configuration to a directory or archive', [
    'genai-obs backup --output ./backup-1',
    'genai-obs backup --output backup-1.tar.gz --include-secrets',
    'genai-obs backup verify ./backup-1',
  ])
    .addOption(context())
    .addOption(namespace())
    .option('--output <path>', 'directory that does not exist yet, or a file ending in .tar.gz')
    .option('--include-secrets', 'include Secrets, encrypted with a passphrase')
    .addOption(passphraseFile())
    .addOption(json('the result as JSON'))
    .action((flags) => guard(flags.json, async () => (await import('../commands/backup.ts')).backup(flags)));
  backup
    .command('verify')
    .argument('<path>')
    .description('Check a backup: manifest, sizes, checksums, archives')
    .addOption(json('the result as JSON'))
    .action((path, _own, command) => {
      // `backup` has --json too, and commander stores the flag there.
      const flags = command.optsWithGlobals();
      return guard(flags.json, async () => (await import('../commands/backup.ts')).verify(path, flags));
    });

  verb(program, 'restore', 'Restore a backup into an installed stack; ends with the doctor', [
    'genai-obs restore ./backup-1 --dry-run',
    'genai-obs restore ./backup-1 --yes',
    'genai-obs restore ./backup-1 --only grafana',
  ])
    .argument('<path>', 'directory or .tar.gz written by backup')
    .addOption(context())
    .addOption(namespace())
    .option('--dry-run', 'verify the backup and show what would be done; changes nothing')
    .option('--only <store>', 'restore only these stores; repeatable', collect)
    .option('--include-secrets', 'also restore Secrets')
    .addOption(passphraseFile())
    .addOption(yes())
    .addOption(json('the result as JSON'))
    .action((path, flags) =>
      guard(flags.json, async () => (await import('../commands/restore.ts')).restore(path, flags)),
    );
}

import type { Command } from '@commander-js/extra-typings';
import { guard } from '../app/guard.ts';
import { context, json, namespace, planOptions, timeout, verb, yes } from './options.ts';

export function lifecycle(program: Command): void {
  planOptions(
    verb(program, 'install', 'Install the stack, or resume or change an installation', [
      'genai-obs install',
      'genai-obs install --yes --budget 250 --retention 30d',
      'genai-obs install -f genai-obs.yaml --context staging',
      'genai-obs install --only dashboards --yes',
    ]),
  )
    .addOption(yes())
    .option('--token-file <path>', 'file with the Grafana Cloud token; or set GRAFANA_CLOUD_TOKEN')
    .option('--save-config <path>', 'write a file that repeats this installation')
    .option('--print-config', 'print the resolved configuration and stop')
    .addOption(timeout())
    .addOption(json('one JSON event per line on stdout'))
    .action((flags) => guard(flags.json, async () => (await import('../commands/install.ts')).install(flags)));

  planOptions(
    verb(program, 'plan', 'Show what install would change, object by object; changes nothing', [
      'genai-obs plan',
      'genai-obs plan --budget 250',
      'genai-obs plan --json',
      'genai-obs plan --exit-code || echo "there are changes"',
    ]),
  )
    .option('--exit-code', 'exit with 3 when there is something to change')
    .addOption(json('the plan as JSON'))
    .action((flags) => guard(flags.json, async () => (await import('../commands/plan.ts')).plan(flags)));

  verb(program, 'status', 'Show the state of each step, from the journal and the cluster', [
    'genai-obs status',
    'genai-obs status --json',
  ])
    .addOption(context())
    .addOption(namespace())
    .addOption(json('the steps as JSON'))
    .action((flags) => guard(flags.json, async () => (await import('../commands/status.ts')).status(flags)));

  verb(program, 'uninstall', 'Remove what genai-obs created and nothing else; keeps data by default', [
    'genai-obs uninstall --dry-run',
    'genai-obs uninstall',
    'genai-obs uninstall --delete-data --yes',
  ])
    .addOption(context())
    .addOption(namespace())
    .option('--delete-data', 'also delete claims, Secrets and the namespaces that genai-obs created')
    .option('--dry-run', 'show what would be removed')
    .addOption(yes())
    .addOption(timeout())
    .addOption(json('one JSON event per line on stdout'))
    .action((flags) => guard(flags.json, async () => (await import('../commands/uninstall.ts')).runUninstall(flags)));
}

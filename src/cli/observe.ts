import { type Command, Option } from '@commander-js/extra-typings';
import { guard } from '../app/guard.ts';
import { collect, context, json, namespace, verb } from './options.ts';

export function observe(program: Command): void {
  verb(program, 'doctor', 'Check the stack, report the cause first, and say how to fix it', [
    'genai-obs doctor',
    'genai-obs doctor --probe',
    'genai-obs doctor --stage preflight --profile k3s',
    'genai-obs doctor --only COL-06 --only PROM-13 --verbose',
    'genai-obs doctor -o junit > doctor.xml',
  ])
    .addOption(context())
    .addOption(namespace())
    .option('--profile <name>', 'expect this profile; default: the configuration of the installation')
    .option('-f, --file <path>', 'expect this configuration; repeatable, later files win', collect)
    .addOption(
      new Option('--stage <stage>', 'preflight: before an installation; stack: the running stack')
        .choices(['preflight', 'stack'] as const)
        .default('stack' as const),
    )
    .option('--probe', 'also send a trace, a metric and a log through the gateway and find them again')
    .option('--only <id>', 'run only these checks; repeatable', collect)
    .option('--skip <id>', 'skip these checks; repeatable', collect)
    .addOption(
      new Option('-o, --output <format>', 'format on stdout')
        .choices(['table', 'short', 'json', 'junit'] as const)
        .default('table' as const),
    )
    .addOption(json('the same as --output json'))
    .option('--strict', 'exit with 4 when there are warnings')
    .option('-v, --verbose', 'also list checks that are ok or skipped')
    .option('--from <facts.json>', 'judge saved facts instead of a cluster')
    .option('--save-facts <path>', 'write the collected facts')
    .option('--baseline <facts.json>', 'compare ingest rate, query time and memory with facts saved earlier')
    .action((flags) =>
      guard(flags.json === true || flags.output === 'json', async () =>
        (await import('../commands/doctor.ts')).doctor(flags),
      ),
    );

  verb(program, 'open', 'Open a tunnel to Grafana; prints its URL and how to get the password', [
    'genai-obs open',
    'genai-obs open --port 8080',
  ])
    .addOption(context())
    .addOption(namespace())
    .option('--port <port>', 'local port; 0: any free port', '3000')
    .action((flags) => guard(false, async () => (await import('../commands/open.ts')).open(flags)));
}

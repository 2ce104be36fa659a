import { Argument, type Command } from '@commander-js/extra-typings';
import { guard } from '../app/guard.ts';
import { collect, context, json, namespace, verb, yes } from './options.ts';

const LANGUAGES = ['python', 'node', 'java', 'vllm', 'litellm', 'env'] as const;

export function connect(program: Command): void {
  verb(program, 'connect', 'Print or apply what an application needs to send its telemetry to the stack', [
    'genai-obs connect',
    'genai-obs connect python --app checkout --team payments',
    'genai-obs connect node --protocol grpc --profile quickstart',
    'genai-obs connect --apply deployment/checkout --app-namespace shop',
    'genai-obs connect --remove deployment/checkout --app-namespace shop',
  ])
    .addArgument(new Argument('[language]', 'what to print; default: the endpoints of the stack').choices(LANGUAGES))
    .addOption(context())
    .addOption(namespace())
    .option('--profile <name>', 'print for this profile; needs no cluster')
    .option('-f, --file <path>', 'print for this configuration file; needs no cluster; repeatable', collect)
    .option('--app <name>', "service.name; with --apply the default is the Deployment's own, or its name")
    .option('--app-namespace <name>', 'namespace of the application (default: default)')
    .option('--team <name>', 'genops.team')
    .option('--protocol <protocol>', 'grpc or http/protobuf (default: http/protobuf; vllm: grpc)')
    .option('--apply <deployment/name>', 'put the environment into this Deployment')
    .option('--remove <deployment/name>', 'remove from this Deployment what --apply put there')
    .addOption(yes())
    .addOption(json('the result as JSON'))
    .action((language, flags) =>
      guard(flags.json, async () => (await import('../commands/connect.ts')).connect(language, flags)),
    );
}

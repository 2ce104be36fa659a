import { Argument, Command, CommanderError, Option } from 'commander';
import { guard } from './app/guard.ts';
import { version } from './core/root.ts';

/** The command tree only: an action imports its command when it runs, so that `--help` loads nothing else. */
const program = new Command('genai-obs')
  .description(
    'Installs, proves, diagnoses, backs up and removes an observability stack for LLM applications on Kubernetes.',
  )
  .version(version())
  .showHelpAfterError('(genai-obs --help shows all commands)')
  .exitOverride()
  .addHelpText(
    'after',
    examples(['genai-obs install', 'genai-obs doctor --probe', 'genai-obs open', 'genai-obs uninstall --delete-data']),
  );

function examples(lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}

const collect = (value: string, before: string[] = []): string[] => [...before, ...value.split(',').filter(Boolean)];
const context = (): Option => new Option('--context <name>', 'kube context; default: the current one');
const namespace = (): Option =>
  new Option('-n, --namespace <name>', 'namespace of the installation (default: genai-observability)');
const timeout = (): Option => new Option('--timeout <seconds>', 'longest wait for one workload').default('300');
const json = (what: string): Option => new Option('--json', what);

/** What changes the configuration. */
function settingOptions(command: Command): Command {
  return command
    .addOption(namespace())
    .option('--profile <name>', 'profile to start from (default: quickstart)')
    .option('-f, --file <path>', 'configuration file over the profile; repeatable, later files win', collect)
    .option('--storage-class <name>', "storage class of all claims; default: the cluster's default class")
    .option('--no-persistence', 'no claims: data live and die with the pods')
    .option('--retention <duration>', 'how long metrics are kept, for example 15d')
    .option('--budget <usd>', 'budget for model calls in USD per day; 0: none')
    .option('--sampling-rate <share>', 'share of traces that are stored, 0 to 1')
    .option('--gateway-replicas <n>', 'replicas of the gateway collector')
    .option('--expose <type>', 'Service type of Grafana: ClusterIP, NodePort or LoadBalancer')
    .option('--registry <host/path>', "registry put in place of every image's own")
    .option(
      '--charts <dir|url>',
      'take upstream charts from a folder of archives, https://… or oci://… instead of their homes',
    )
    .option('--cloud-url <url>', 'OTLP gateway of your Grafana Cloud stack')
    .option('--cloud-user <id>', 'instance id of your Grafana Cloud stack')
    .option('--environment <name>', 'value of deployment.environment')
    .option('--cluster-name <name>', 'value of k8s.cluster.name')
    .option('--disable <component>', 'leave a component out; repeatable', collect);
}

function configOptions(command: Command): Command {
  return settingOptions(command.addOption(context()))
    .option('--only <phase>', 'run only these phases; repeatable', collect)
    .option('--from <phase>', 'start with this phase')
    .option('--skip <phase>', 'leave these phases out; repeatable', collect);
}

function add(name: string, description: string, lines: string[]): Command {
  return program.command(name).description(description).addHelpText('after', examples(lines)).exitOverride();
}

type Flags = Record<string, unknown>;
const rename = (flags: Flags): Flags => ({ ...flags, replicas: flags['gatewayReplicas'] });

configOptions(
  add('install', 'Install the stack, or carry on with an installation', [
    'genai-obs install',
    'genai-obs install --yes --budget 250 --retention 30d',
    'genai-obs install -f genai-obs.yaml --context staging',
    'genai-obs install --only dashboards --yes',
  ]),
)
  .option('-y, --yes', 'ask nothing')
  .option('--token-file <path>', 'file with the Grafana Cloud token; or set GRAFANA_CLOUD_TOKEN')
  .option('--save-config <path>', 'write the file that replays this installation')
  .option('--print-config', 'print the resolved configuration and stop')
  .addOption(timeout())
  .addOption(json('one JSON event a line on stdout'))
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/install.ts')).install(rename(flags) as never)),
  );

configOptions(
  add('plan', 'Show what install would change, object by object; changes nothing', [
    'genai-obs plan',
    'genai-obs plan --budget 250',
    'genai-obs plan --json',
    'genai-obs plan --exit-code || echo "there are changes"',
  ]),
)
  .option('--exit-code', 'exit with 3 when there is something to change')
  .addOption(json('the plan as JSON'))
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/plan.ts')).plan(rename(flags))),
  );

add('status', 'Show every step of the installation: what the journal says and what the cluster says', [
  'genai-obs status',
  'genai-obs status --json',
])
  .addOption(context())
  .addOption(namespace())
  .addOption(json('as JSON'))
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/status.ts')).status(flags)),
  );

add('doctor', 'Find what is wrong with the stack, name the cause first, and say how to mend it', [
  'genai-obs doctor',
  'genai-obs doctor --probe',
  'genai-obs doctor --stage preflight --profile k3s',
  'genai-obs doctor --only COL-06 --only PROM-13 --verbose',
  'genai-obs doctor -o junit > doctor.xml',
])
  .addOption(context())
  .addOption(namespace())
  .option('--profile <name>', 'what should be there: this profile; default: what the installation was made with')
  .option('-f, --file <path>', 'what should be there: this configuration; repeatable, later files win', collect)
  .addOption(
    new Option('--stage <stage>', 'preflight: before an installation; stack: the running stack')
      .choices(['preflight', 'stack'])
      .default('stack'),
  )
  .option('--probe', 'also send a trace, a metric and a log through the gateway and find them again')
  .option('--only <id>', 'run only these checks; repeatable', collect)
  .option('--skip <id>', 'leave these checks out; repeatable', collect)
  .addOption(
    new Option('-o, --output <format>', 'format on stdout')
      .choices(['table', 'short', 'json', 'junit'])
      .default('table'),
  )
  .addOption(json('the same as --output json'))
  .option('--strict', 'exit with 4 when there are warnings')
  .option('-v, --verbose', 'list checks that are ok or skipped, too')
  .option('--from <facts.json>', 'judge saved facts instead of a cluster')
  .option('--save-facts <path>', 'write the facts that were collected')
  .option('--baseline <facts.json>', 'compare ingest, query time and memory with facts that were saved earlier')
  .action((flags: Flags) =>
    guard(flags['json'] === true || flags['output'] === 'json', async () =>
      (await import('./commands/doctor.ts')).doctor(flags),
    ),
  );

const backup = add('backup', 'Back up data, dashboards and configuration into a directory or archive', [
  'genai-obs backup --output ./backup-1',
  'genai-obs backup --output backup-1.tar.gz --include-secrets',
  'genai-obs backup verify ./backup-1',
])
  .addOption(context())
  .addOption(namespace())
  .option('--output <path>', 'directory that does not exist yet, or a file ending in .tar.gz')
  .option('--include-secrets', 'also the secrets, encrypted with a passphrase')
  .option('--passphrase-file <path>', 'file with the passphrase; or set GENAI_OBS_PASSPHRASE')
  .addOption(json('the result as JSON'))
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/backup.ts')).backup(flags)),
  );
backup
  .command('verify <path>')
  .description('Check a backup: manifest, sizes, checksums, archives')
  .addOption(json('the result as JSON'))
  .action((path: string, _own: Flags, command: Command) => {
    // The parent has --json too and would keep it for itself.
    const flags: Flags = command.optsWithGlobals();
    return guard(flags['json'] === true, async () => (await import('./commands/backup.ts')).verify(path, flags));
  });

add('restore', 'Bring a backup back into an installed stack; ends with the doctor', [
  'genai-obs restore ./backup-1 --dry-run',
  'genai-obs restore ./backup-1 --yes',
  'genai-obs restore ./backup-1 --only grafana',
])
  .argument('<path>', 'directory or .tar.gz written by backup')
  .addOption(context())
  .addOption(namespace())
  .option('--dry-run', 'verify, show what would be done, change nothing')
  .option('--only <store>', 'restore only these; repeatable', collect)
  .option('--include-secrets', 'also the secrets')
  .option('--passphrase-file <path>', 'file with the passphrase; or set GENAI_OBS_PASSPHRASE')
  .option('-y, --yes', 'ask nothing')
  .addOption(json('the result as JSON'))
  .action((path: string, flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/restore.ts')).restore(path, flags)),
  );

const exporting = add('export', 'Write the configuration for another tool', [
  'genai-obs export terraform --profile quickstart --out ./terraform',
]);
settingOptions(exporting.command('terraform'))
  .description('Write a Terraform module of the plan: namespaces, secrets, objects, releases; asks no cluster')
  .addHelpText(
    'after',
    examples([
      'genai-obs export terraform --out ./terraform',
      'genai-obs export terraform -f my-profile.yaml --charts ./archives --out ./terraform',
    ]),
  )
  .requiredOption('--out <dir>', 'folder for the module')
  .action((flags: Flags) =>
    guard(false, async () => (await import('./commands/export.ts')).exportTerraform(rename(flags) as never)),
  );

add('mirror', 'Write charts, the list of images and an overlay for clusters without a way out', [
  'genai-obs mirror --out ./mirror --profile k3s --registry registry.example/obs',
  'genai-obs mirror --out ./mirror --charts ./archives --no-digests',
])
  .option('--out <dir>', 'folder that does not exist yet')
  .option('--profile <name>', 'only for these profiles; repeatable (default: all)', collect)
  .option('-f, --file <path>', 'also for this configuration; repeatable, later files win', collect)
  .option('--registry <host/path>', 'registry that will hold the images')
  .option(
    '--charts <dir|url>',
    'take the charts from a folder of archives, https://… or oci://… instead of their homes',
  )
  .option('--no-digests', 'do not ask the registries for the digests of the images')
  .addOption(json('the result as JSON'))
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/mirror.ts')).mirror(flags)),
  );

add('uninstall', 'Remove what genai-obs created and only that; keeps data unless told otherwise', [
  'genai-obs uninstall --dry-run',
  'genai-obs uninstall',
  'genai-obs uninstall --delete-data --yes',
])
  .addOption(context())
  .addOption(namespace())
  .option('--delete-data', 'also claims, secrets and the namespace (if genai-obs made it)')
  .option('--dry-run', 'show what would be removed')
  .option('-y, --yes', 'ask nothing')
  .addOption(timeout())
  .addOption(json('one JSON event a line on stdout'))
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/uninstall.ts')).runUninstall(flags as never)),
  );

add('open', 'Open a tunnel to Grafana; prints its URL and how to get the password', [
  'genai-obs open',
  'genai-obs open --port 8080',
])
  .addOption(context())
  .addOption(namespace())
  .option('--port <port>', 'local port; 0: any free one', '3000')
  .action((flags: Flags) => guard(false, async () => (await import('./commands/open.ts')).open(flags as never)));

const profile = add('profile', 'Show, list and check profiles: the files that say what is installed', [
  'genai-obs profile list',
  'genai-obs profile show k3s > my-profile.yaml',
  'genai-obs profile show --resolved -f my-profile.yaml',
  'genai-obs profile validate my-profile.yaml',
]);
profile
  .command('show [name]')
  .description('Print a profile (default: quickstart)')
  .option('--resolved', 'every setting, after what it extends and with all defaults')
  .option('-f, --file <path>', 'configuration file over the profile; repeatable; implies --resolved', collect)
  .action((name: string | undefined, flags: Flags) =>
    guard(false, async () => (await import('./commands/profile.ts')).show(name, flags)),
  );
profile
  .command('list')
  .description('List the profiles that come with genai-obs')
  .action(() => guard(false, async () => (await import('./commands/profile.ts')).list()));
profile
  .command('validate <file...>')
  .description('Check configuration files; names file, line and key of what is wrong')
  .action((files: string[]) => guard(false, async () => (await import('./commands/profile.ts')).validate(files)));

const macos = add('macos', 'Monitor Macs that run the cluster: temperature, power, memory and thermal pressure', [
  'genai-obs macos bundle --host studio-1 --host studio-2 --endpoint k3s.example:4317 --mtls ./certs --out ./macs',
]);
macos
  .command('bundle')
  .description('Write a folder for each Mac: collector configuration, LaunchDaemons, install.sh and uninstall.sh')
  .option('--host <name>', 'name of a Mac, a DNS label: its folder and its host.name; repeatable', collect)
  .option('--endpoint <host:port>', "OTLP gRPC entry of the gateway's collector, as the Macs reach it")
  .option('--out <dir>', 'folder to write to; empty or not there yet')
  .option('--mtls <dir>', 'mutual TLS: tls.crt and tls.key of DIR/NAME, else of DIR; ca.crt of either')
  .option('--token-file <path>', 'TLS and a bearer token, which the Mac reads from a file, too')
  .option('--ca <path>', 'with --token-file: who signed the certificate of the gateway; default: who the Mac trusts')
  .option('--interval <duration>', 'time between two readings, 1s to 2m', '15s')
  .addOption(json('what was written, as JSON'))
  .addHelpText(
    'after',
    examples([
      'genai-obs macos bundle --host studio-1 --endpoint k3s.example:4317 --mtls ./certs --out ./macs',
      'genai-obs macos bundle --host studio-1 --endpoint k3s.example:4317 --token-file ./token --ca ./ca.crt --out ./macs',
    ]),
  )
  .exitOverride()
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/macos.ts')).bundle(flags as never)),
  );

const harden = add('harden', 'Write what makes the cluster itself safer, where kubectl cannot do it', [
  'genai-obs harden audit --out ./audit',
]);
harden
  .command('audit')
  .description("Write the API server's audit policy, K3s' settings for it and the steps for each server node")
  .option('--out <dir>', 'folder to write to; empty or not there yet')
  .addOption(json('what was written, as JSON'))
  .addHelpText('after', examples(['genai-obs harden audit --out ./audit']))
  .exitOverride()
  .action((flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/harden.ts')).audit(flags)),
  );

add('connect', 'Print or apply what an application needs to send its telemetry to the stack', [
  'genai-obs connect',
  'genai-obs connect python --app checkout --team payments',
  'genai-obs connect node --protocol grpc --profile quickstart',
  'genai-obs connect --apply deployment/checkout --app-namespace shop',
  'genai-obs connect --remove deployment/checkout --app-namespace shop',
])
  .addArgument(
    new Argument('[language]', 'what to print; without it: what is there').choices([
      'python',
      'node',
      'java',
      'vllm',
      'litellm',
      'env',
    ]),
  )
  .addOption(context())
  .addOption(namespace())
  .option('--profile <name>', 'print for this profile, without looking at a cluster')
  .option('-f, --file <path>', 'print for this configuration file, without looking at a cluster; repeatable', collect)
  .option('--app <name>', "service.name; with --apply by default the Deployment's own, else its name")
  .option('--app-namespace <name>', 'namespace of the application (default: default)')
  .option('--team <name>', 'genops.team')
  .option('--protocol <protocol>', 'grpc or http/protobuf (default: http/protobuf; vllm: grpc)')
  .option('--apply <deployment/name>', 'put it into this Deployment')
  .option('--remove <deployment/name>', 'take exactly that out of this Deployment again')
  .option('-y, --yes', 'ask nothing')
  .addOption(json('the result as JSON'))
  .action((language: string | undefined, flags: Flags) =>
    guard(flags['json'] === true, async () => (await import('./commands/connect.ts')).connect(language, flags)),
  );

program
  .command('completion <shell>')
  .description('Print a completion script for bash, zsh or fish')
  .addHelpText(
    'after',
    examples([
      'source <(genai-obs completion bash)',
      'genai-obs completion fish > ~/.config/fish/completions/genai-obs.fish',
    ]),
  )
  .action((shell: string) =>
    guard(false, async () => (await import('./commands/completion.ts')).completion(shell, program)),
  );

// `genai-obs plan | head`: a reader that has gone is no failure, and must not cut an installation off.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

import type { Command } from '@commander-js/extra-typings';
import { guard } from '../app/guard.ts';
import { charts, collect, examples, json, settingOptions, verb } from './options.ts';

/** Verbs that write or print files and need no cluster: profile, export, mirror, macos, harden. */
export function files(program: Command): void {
  profile(program);
  exporting(program);
  mirror(program);
  macos(program);
  harden(program);
}

function profile(program: Command): void {
  const parent = verb(program, 'profile', 'Show, list and validate profiles, the files that define an installation', [
    'genai-obs profile list',
    'genai-obs profile show k3s > my-profile.yaml',
    'genai-obs profile show --resolved -f my-profile.yaml',
    'genai-obs profile validate my-profile.yaml',
  ]);
  parent
    .command('show')
    .argument('[name]')
    .description('Print a profile (default: quickstart)')
    .option('--resolved', 'print every setting, with what the profile extends and all defaults')
    .option('-f, --file <path>', 'configuration file over the profile; repeatable; implies --resolved', collect)
    .action((name, flags) => guard(false, async () => (await import('../commands/profile.ts')).show(name, flags)));
  parent
    .command('list')
    .description('List the profiles that come with genai-obs')
    .action(() => guard(false, async () => (await import('../commands/profile.ts')).list()));
  parent
    .command('validate')
    .argument('<file...>')
    .description('Check configuration files; names file, line and key of each error')
    .action((paths) => guard(false, async () => (await import('../commands/profile.ts')).validate(paths)));
}

function exporting(program: Command): void {
  const parent = verb(program, 'export', 'Export the plan for another tool', [
    'genai-obs export terraform --profile quickstart --out ./terraform',
  ]);
  settingOptions(parent.command('terraform'))
    .description('Write a Terraform module of the plan: namespaces, Secrets, objects, releases; needs no cluster')
    .addHelpText(
      'after',
      examples([
        'genai-obs export terraform --out ./terraform',
        'genai-obs export terraform -f my-profile.yaml --charts ./archives --out ./terraform',
      ]),
    )
    .requiredOption('--out <dir>', 'folder for the module')
    .action((flags) => guard(false, async () => (await import('../commands/export.ts')).exportTerraform(flags)));
}

function mirror(program: Command): void {
  verb(program, 'mirror', 'Write charts, the list of images and an overlay for air-gapped clusters', [
    'genai-obs mirror --out ./mirror --profile k3s --registry registry.example/obs',
    'genai-obs mirror --out ./mirror --charts ./archives --no-digests',
  ])
    .option('--out <dir>', 'folder that does not exist yet')
    .option('--profile <name>', 'only for these profiles; repeatable (default: all)', collect)
    .option('-f, --file <path>', 'also for this configuration; repeatable, later files win', collect)
    .option('--registry <host/path>', 'registry that will hold the images')
    .addOption(charts())
    .option('--no-digests', 'do not request the digests of the images from their registries')
    .addOption(json('the result as JSON'))
    .action((flags) => guard(flags.json, async () => (await import('../commands/mirror.ts')).mirror(flags)));
}

function macos(program: Command): void {
  verb(program, 'macos', 'Monitor Macs that run the cluster: temperature, power, memory and thermal pressure', [
    'genai-obs macos bundle --host studio-1 --host studio-2 --endpoint k3s.example:4317 --mtls ./certs --out ./macs',
  ])
    .command('bundle')
    .description('Write a folder for each Mac: collector configuration, LaunchDaemons, install.sh and uninstall.sh')
    .option('--host <name>', 'name of a Mac, a DNS label: its folder and its host.name; repeatable', collect)
    .option('--endpoint <host:port>', 'OTLP gRPC endpoint of the gateway, as the Macs reach it')
    .option('--out <dir>', 'folder to write to; must be empty or not exist')
    .option('--mtls <dir>', 'mutual TLS: tls.crt and tls.key from DIR/NAME, else from DIR; ca.crt from either')
    .option('--token-file <path>', 'TLS with a bearer token, which the Mac also reads from a file')
    .option('--ca <path>', "with --token-file: CA of the gateway's certificate; default: the Mac's trust store")
    .option('--interval <duration>', 'time between two readings, 1s to 2m', '15s')
    .addOption(json('the written files as JSON'))
    .addHelpText(
      'after',
      examples([
        'genai-obs macos bundle --host studio-1 --endpoint k3s.example:4317 --mtls ./certs --out ./macs',
        'genai-obs macos bundle --host studio-1 --endpoint k3s.example:4317 --token-file ./token --ca ./ca.crt ' +
          '--out ./macs',
      ]),
    )
    .exitOverride()
    .action((flags) => guard(flags.json, async () => (await import('../commands/macos.ts')).bundle(flags)));
}

function harden(program: Command): void {
  verb(program, 'harden', 'Write files that harden the cluster where kubectl cannot', [
    'genai-obs harden audit --out ./audit',
  ])
    .command('audit')
    .description("Write the API server's audit policy, the K3s settings for it and the steps for each server node")
    .option('--out <dir>', 'folder to write to; must be empty or not exist')
    .addOption(json('the written files as JSON'))
    .addHelpText('after', examples(['genai-obs harden audit --out ./audit']))
    .exitOverride()
    .action((flags) => guard(flags.json, async () => (await import('../commands/harden.ts')).audit(flags)));
}

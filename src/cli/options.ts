import { Command, Option } from '@commander-js/extra-typings';

export const examples = (lines: string[]): string => `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;

/** A verb of genai-obs; its action imports its command when it runs, so that `--help` loads nothing else. */
export const verb = (program: Command, name: string, description: string, lines: string[]): Command =>
  program.command(name).description(description).addHelpText('after', examples(lines)).exitOverride();

/** For repeatable options and lists with commas. */
export const collect = (value: string, before: string[] = []): string[] => [
  ...before,
  ...value.split(',').filter(Boolean),
];

export const context = () => new Option('--context <name>', 'kubeconfig context; default: the current one');
export const namespace = () =>
  new Option('-n, --namespace <name>', 'namespace of the installation (default: genai-observability)');
export const timeout = () => new Option('--timeout <seconds>', 'longest wait for one workload').default('300');
export const json = (what: string) => new Option('--json', what);
export const yes = () => new Option('-y, --yes', 'do not prompt');

const CHARTS = 'source of upstream charts: folder of archives, https://… or oci://…; default: their repositories';
export const charts = () => new Option('--charts <dir|url>', CHARTS);

export function settingOptions(command: Command) {
  return command
    .addOption(namespace())
    .option('--profile <name>', 'profile to start from (default: quickstart)')
    .option('-f, --file <path>', 'configuration file over the profile; repeatable, later files win', collect)
    .option('--storage-class <name>', "StorageClass of all claims; default: the cluster's default class")
    .option('--no-persistence', 'no claims: data is lost when a pod is deleted (emptyDir)')
    .option('--retention <duration>', 'how long metrics are kept, for example 15d')
    .option('--budget <usd>', 'budget for model calls in USD per day; 0: none')
    .option('--sampling-rate <share>', 'share of traces to store, 0 to 1')
    .option('--gateway-replicas <n>', 'replicas of the gateway collector')
    .option('--expose <type>', 'Service type of Grafana: ClusterIP, NodePort or LoadBalancer')
    .option('--registry <host/path>', 'registry to pull every image from, instead of its own')
    .addOption(charts())
    .option('--cloud-url <url>', 'OTLP gateway of your Grafana Cloud stack')
    .option('--cloud-user <id>', 'instance id of your Grafana Cloud stack')
    .option('--environment <name>', 'value of deployment.environment')
    .option('--cluster-name <name>', 'value of k8s.cluster.name')
    .option('--disable <component>', 'disable a component; repeatable', collect);
}

export function planOptions(command: Command) {
  return settingOptions(command)
    .addOption(context())
    .option('--only <phase>', 'run only these phases; repeatable', collect)
    .option('--from <phase>', 'start with this phase')
    .option('--skip <phase>', 'skip these phases; repeatable', collect);
}

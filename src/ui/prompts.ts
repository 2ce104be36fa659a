import type { Kube } from '../adapters/kube.ts';
import { usageError } from '../core/errors.ts';
import type { ConfigFlags } from '../profile/flags.ts';
import { profileNames } from '../profile/layers.ts';
import type { Config } from '../profile/schema.ts';

/** True when somebody can answer. A pipe would answer silently, a closed stdin would throw. */
export function isInteractive(): boolean {
  return Boolean(process.stdin.isTTY && process.stderr.isTTY);
}

const onStderr = { output: process.stderr };

/** Before any work is done for a question that nobody could answer. @throws ObsError (usage) naming the flag */
export function mustBeInteractive(flag: string): void {
  if (!isInteractive())
    throw usageError('this needs a confirmation, and there is no terminal to ask on', `add ${flag}`);
}

/** A yes/no question. Without a terminal it never waits: it names the flag. @throws ObsError (usage) */
export async function confirmOr(flag: string, message: string): Promise<boolean> {
  mustBeInteractive(flag);
  const { confirm } = await import('./inquirer.ts');
  return confirm({ message, default: true }, onStderr);
}

/** Asks for a secret without showing it. @throws ObsError (usage) without a terminal */
export async function passwordOr(flag: string, message: string): Promise<string> {
  if (!isInteractive()) throw usageError('this needs a passphrase, and there is no terminal to ask on', `set ${flag}`);
  const { password } = await import('./inquirer.ts');
  return password({ message, mask: true }, onStderr);
}

interface StorageChoice {
  name: string;
  isDefault: boolean;
}

async function storageClasses(kube: Kube): Promise<StorageChoice[]> {
  const classes = await kube.list('StorageClass');
  return classes.map((c) => ({
    name: c.metadata.name,
    isDefault: c.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
  }));
}

/** Which cluster, when the kubeconfig knows several. */
export async function askContext(): Promise<string | undefined> {
  const { contexts } = await import('../adapters/kubeconfig.ts');
  const { names, current } = contexts();
  if (names.length < 2) return undefined;
  const { select } = await import('./inquirer.ts');
  return select(
    {
      message: 'Cluster (kube context)',
      choices: names.map((value) => ({ value, name: value === current ? `${value} (current)` : value })),
      ...(current ? { default: current } : {}),
    },
    onStderr,
  );
}

export async function askProfile(): Promise<string> {
  const { select } = await import('./inquirer.ts');
  return select({ message: 'Profile', choices: profileNames().map((value) => ({ value, name: value })) }, onStderr);
}

/** Only what matters and no flag or file has answered; every answer is returned as the flag that gives it. */
export async function ask(kube: Kube, config: Config, given: ConfigFlags): Promise<ConfigFlags> {
  const { input, select } = await import('./inquirer.ts');
  if (config['k8s-monitoring'].enabled) return askCloud(config, given);
  const answers: ConfigFlags = {};
  if (given.storageClass === undefined && given.persistence !== false) {
    const classes = await storageClasses(kube);
    const none = '(none: data live and die with the pods)';
    const preset = classes.find((c) =>
      config.storage.storageClass ? c.name === config.storage.storageClass : c.isDefault,
    )?.name;
    const choice = await select(
      {
        message: 'Storage class for metrics, logs, traces and Grafana',
        choices: [
          ...classes.map((c) => ({ value: c.name, name: c.isDefault ? `${c.name} (the cluster’s default)` : c.name })),
          { value: none, name: none },
        ],
        ...(preset ? { default: preset } : {}),
      },
      onStderr,
    );
    if (choice === none) answers.persistence = false;
    // The cluster's default stays "whatever is the default", so that the file replays on another cluster.
    else if (!classes.find((c) => c.name === choice)?.isDefault) answers.storageClass = choice;
  }
  if (given.retention === undefined)
    answers.retention = await input(
      {
        message: 'Keep metrics for',
        default: config.prometheus.server.retention,
        validate: (text) => /^[1-9]\d*[hdwy]$/.test(text) || 'a duration such as 15d',
      },
      onStderr,
    );
  if (given.budget === undefined)
    answers.budget = await input(
      {
        message: 'Budget for model calls, USD per day',
        default: String(config.genai.cost.budgetLimit),
        validate: (text) => (text.trim() !== '' && Number(text) >= 0) || 'a number, 0 for no budget',
      },
      onStderr,
    );
  if (given.expose === undefined) {
    const kinds = [
      { value: 'ClusterIP', name: 'inside the cluster only; `genai-obs open` makes a tunnel' },
      { value: 'NodePort', name: 'a port on every node (NodePort)' },
      { value: 'LoadBalancer', name: 'a load balancer of the cloud (LoadBalancer)' },
    ];
    answers.expose = await select(
      { message: 'Where is Grafana reachable?', choices: kinds, default: config.grafana.service.type },
      onStderr,
    );
  }
  return answers;
}

/** Nothing is stored in the cluster: what matters is where it goes. The token is asked for later, and only if nobody has it. */
async function askCloud(config: Config, given: ConfigFlags): Promise<ConfigFlags> {
  const { mode, otlp } = config['k8s-monitoring'].destination;
  if (mode !== 'otlp') return {};
  const { input } = await import('./inquirer.ts');
  const cloudUrl =
    given.cloudUrl ??
    (await input(
      {
        message: 'OTLP gateway of your Grafana Cloud stack',
        ...(otlp.url ? { default: otlp.url } : {}),
        validate: (text) =>
          /^https?:\/\/\S+$/.test(text) || 'such as https://otlp-gateway-prod-eu-west-0.grafana.net/otlp',
      },
      onStderr,
    ));
  const cloudUser =
    given.cloudUser ??
    (await input({ message: 'Its instance id', ...(otlp.user ? { default: otlp.user } : {}) }, onStderr));
  return { cloudUrl, cloudUser };
}

// Imported by name, so that the bundle drops the editor prompt and its tables of character sets.
import { confirm, input, password, select } from '@inquirer/prompts';
import type { Kube } from '../adapters/kube.ts';
import { contexts } from '../adapters/kubeconfig.ts';
import type { ConfigFlags } from '../profile/flags.ts';
import { profileNames } from '../profile/layers.ts';
import type { Config } from '../profile/schema.ts';

/** stdout is for data. */
const onStderr = { output: process.stderr };

export const askYesNo = (message: string): Promise<boolean> => confirm({ message, default: true }, onStderr);
export const askPassword = (message: string): Promise<string> => password({ message, mask: true }, onStderr);

/** Prompts for the cluster when the kubeconfig has several contexts. */
export async function askContext(): Promise<string | undefined> {
  const { names, current } = contexts();
  if (names.length < 2) return undefined;
  const choices = names.map((value) => ({ value, name: value === current ? `${value} (current)` : value }));
  const message = 'Cluster (kube context)';
  return select({ message, choices, ...(current ? { default: current } : {}) }, onStderr);
}

export async function askProfile(): Promise<string> {
  const choices = profileNames().map((value) => ({ value, name: value }));
  return select({ message: 'Profile', choices, default: 'quickstart' }, onStderr);
}

/** Prompts for what matters and no flag gives. Each answer is the flag that would give it. */
export async function ask(kube: Kube, config: Config, given: ConfigFlags): Promise<ConfigFlags> {
  if (config['k8s-monitoring'].enabled) return askCloud(config, given);
  const answers: ConfigFlags = {};
  if (given.storageClass === undefined && given.persistence !== false)
    Object.assign(answers, await askStorage(kube, config));
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
      { value: 'ClusterIP', name: 'only in the cluster; `genai-obs open` opens a tunnel (ClusterIP)' },
      { value: 'NodePort', name: 'on a port of every node (NodePort)' },
      { value: 'LoadBalancer', name: 'by a load balancer of the cloud (LoadBalancer)' },
    ];
    const message = 'How is Grafana exposed?';
    answers.expose = await select({ message, choices: kinds, default: config.grafana.service.type }, onStderr);
  }
  return answers;
}

const NO_CLAIMS = '(none: data is lost when a pod is deleted)';

async function askStorage(kube: Kube, config: Config): Promise<ConfigFlags> {
  const classes = (await kube.list('StorageClass')).map(({ metadata: { name, annotations } }) => ({
    name,
    isDefault: annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
  }));
  const wanted = config.storage.storageClass;
  const preset = classes.find(({ name, isDefault }) => (wanted ? name === wanted : isDefault))?.name;
  const choice = await select(
    {
      message: 'StorageClass for metrics, logs, traces and Grafana',
      choices: [
        ...classes.map(({ name, isDefault }) => ({
          value: name,
          name: isDefault ? `${name} (cluster default)` : name,
        })),
        { value: NO_CLAIMS, name: NO_CLAIMS },
      ],
      ...(preset ? { default: preset } : {}),
    },
    onStderr,
  );
  if (choice === NO_CLAIMS) return { persistence: false };
  // The default class stays unnamed, so that the saved file also works on another cluster.
  return classes.find(({ name }) => name === choice)?.isDefault ? {} : { storageClass: choice };
}

/** For a profile that stores nothing in the cluster. The token is prompted for later, if it is missing. */
async function askCloud(config: Config, given: ConfigFlags): Promise<ConfigFlags> {
  const { mode, otlp } = config['k8s-monitoring'].destination;
  if (mode !== 'otlp') return {};
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
  const message = 'Instance id of your Grafana Cloud stack';
  const cloudUser =
    given.cloudUser ?? (await input({ message, ...(otlp.user ? { default: otlp.user } : {}) }, onStderr));
  return { cloudUrl, cloudUser };
}

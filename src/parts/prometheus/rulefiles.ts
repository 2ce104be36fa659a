import { parse, stringify } from 'yaml';
import { yamlAsset } from '../../core/assets.ts';
import { type Config, namespacesOf } from '../../profile/schema.ts';
import { placeOf } from '../catalog.ts';
import {
  type ListPrice,
  type Rule,
  type RuleGroup,
  budgetRules,
  monthlyBudgets,
  priceRules,
  teamBudgets,
} from './rules.ts';
import { shipped } from '../templates.ts';
import { teamRules } from './teams.ts';

/** `absent(up{job="otel-collector"})` would fire for ever where no collector is wanted. */
function missesCollectors(rule: Rule, config: Config): boolean {
  const collectors = [
    'opentelemetry-collector',
    'opentelemetry-node-collector',
    'opentelemetry-cluster-collector',
  ] as const;
  return rule.expr.includes('absent(up{job="otel-collector"})') && collectors.every((id) => !config[id].enabled);
}

/** Where the installation is, and how its node collectors are called. */
function named(text: string, config: Config): string {
  const [home, ...more] = namespacesOf(config);
  const daemonset = placeOf(config, 'opentelemetry-node-collector').workload.name;
  const filled = text
    .replaceAll('daemonset="opentelemetry-node-collector"', `daemonset="${daemonset}"`)
    .replaceAll('GENOPS_APPS', config.genai.genops.namespace);
  return more.length
    ? filled.replaceAll('="NAMESPACE"', `=~"${[home, ...more].join('|')}"`)
    : filled.replaceAll('NAMESPACE', config.namespace);
}

/** Files of the ConfigMap prometheus-rules: ours from templates/rules, plus prices and budget of the profile. */
export function ruleFiles(config: Config): Record<string, string> {
  const { enabled, budgets, monthlyBudgets: monthly } = config.genai.genops;
  const fixed = shipped(config, 'templates/rules', '.yaml').map(([name, text]): [string, string] => {
    // Parsed and written again: a template that is no valid YAML must fail here, not in Prometheus.
    const file = parse(named(text, config)) as { groups: RuleGroup[] };
    return [
      name,
      stringify({
        groups: file.groups.map((group) => ({
          ...group,
          rules: group.rules.filter((rule) => !missesCollectors(rule, config)),
        })),
      }),
    ];
  });
  const list = yamlAsset<{ prices: ListPrice[] }>('templates', 'prices.yaml');
  const made = [
    priceRules(list.prices, config.genai.cost.prices),
    ...budgetRules(config.genai.cost.budgetLimit),
    ...(enabled ? teamBudgets(config.genai.cost.budgetLimit, budgets) : []),
    ...monthlyBudgets(config.genai.cost.monthlyLimit, enabled ? monthly : {}),
    ...teamRules(config),
  ];
  return Object.fromEntries([...fixed, ['prices-and-budget.yaml', stringify({ groups: made })]]);
}

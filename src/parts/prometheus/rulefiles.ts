import { parse, stringify } from 'yaml';
import { yamlAsset } from '../../core/assets.ts';
import { COLLECTOR_IDS, type Config, namespacesOf } from '../../profile/schema.ts';
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
import { templateFiles } from '../templates.ts';
import { teamRules } from './teams.ts';

/** `absent(up{job="otel-collector"})` would always fire without collectors. */
const needsCollectors = (rule: Rule, config: Config): boolean =>
  rule.expr.includes('absent(up{job="otel-collector"})') && COLLECTOR_IDS.every((id) => !config[id].enabled);

function filledIn(text: string, config: Config): string {
  const [home, ...more] = namespacesOf(config);
  const daemonset = placeOf(config, 'opentelemetry-node-collector').workload.name;
  const filled = text
    .replaceAll('daemonset="opentelemetry-node-collector"', `daemonset="${daemonset}"`)
    .replaceAll('GENOPS_APPS', config.genai.genops.namespace);
  return more.length
    ? filled.replaceAll('="NAMESPACE"', `=~"${[home, ...more].join('|')}"`)
    : filled.replaceAll('NAMESPACE', config.namespace);
}

/** Content of the ConfigMap prometheus-rules: templates/rules, plus prices and budgets of the profile. */
export function ruleFiles(config: Config): Record<string, string> {
  const { enabled, budgets, monthlyBudgets: monthly } = config.genai.genops;
  const fixed = templateFiles(config, 'templates/rules', '.yaml').map(([name, text]): [string, string] => {
    // Parsed and serialized, so that invalid YAML fails here and not in Prometheus.
    const file = parse(filledIn(text, config)) as { groups: RuleGroup[] };
    return [
      name,
      stringify({
        groups: file.groups.map((group) => ({
          ...group,
          rules: group.rules.filter((rule) => !needsCollectors(rule, config)),
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

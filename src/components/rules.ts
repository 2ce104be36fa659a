import { usageError } from '../core/errors.ts';

/** Prometheus rules that depend on the profile: prices and the daily budget. Pure; the rest is in templates/rules/. */

export interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface RuleGroup {
  name: string;
  interval?: string;
  rules: Rule[];
}

/** USD per million tokens. */
export interface TokenPrice {
  input: number;
  output: number;
}

/** One entry of templates/prices.yaml. */
export interface ListPrice extends TokenPrice {
  model: string;
  provider: string;
}

/** Overrides by model: `genai.cost.prices` of a profile. */
export type PriceOverrides = Readonly<Record<string, TokenPrice>>;

const TOKEN_TYPES = ['input', 'output'] as const;

/**
 * One rule per model and token type. The cost rule joins on exactly these two labels, so a model that is listed
 * twice would make Prometheus fail the whole rule: it is refused here instead.
 */
export function priceRules(prices: readonly ListPrice[], overrides: PriceOverrides = {}): RuleGroup {
  const byModel = new Map<string, TokenPrice>();
  for (const { model, input, output } of prices) {
    if (byModel.has(model)) throw usageError(`the price list names the model ${model} twice`, 'Keep one entry per model in templates/prices.yaml.');
    byModel.set(model, { input, output });
  }
  for (const [model, price] of Object.entries(overrides)) byModel.set(model, price);

  const models = [...byModel].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    name: 'genai-prices',
    rules: models.flatMap(([model, price]) =>
      TOKEN_TYPES.map((type) => ({
        record: 'genai:price_usd_per_mtok',
        expr: `vector(${decimal(price[type], `price of ${model} (${type})`)})`,
        labels: { model, token_type: type },
      })),
    ),
  };
}

/** Groups for a budget in USD per day; none for 0, which means that there is no budget. */
export function budgetRules(limitUsd: number): RuleGroup[] {
  const limit = decimal(limitUsd, 'budget limit');
  if (limitUsd === 0) return [];
  const spent = 'sum(genai:cost_usd:increase1d)';
  const about = { dashboard_uid: 'genai-overview' };
  return [
    { name: 'genai-budget', rules: [{ record: 'genai:budget_limit_usd', expr: `vector(${limit})` }] },
    {
      name: 'genai-budget-alerts',
      rules: [
        {
          alert: 'DailyBudgetExceeded',
          expr: `${spent} > ${limit}`,
          for: '5m',
          labels: { severity: 'critical', category: 'cost' },
          annotations: {
            summary: 'The daily budget for model calls is spent',
            description: `Model calls cost {{ $value | printf "%.2f" }} USD in the last 24 hours; the budget is ${limit} USD.`,
            ...about,
            runbook: 'docs/runbooks.md#dailybudgetexceeded',
          },
        },
        {
          alert: 'DailyBudget80Percent',
          expr: `${spent} > 0.8 * ${limit}`,
          for: '5m',
          labels: { severity: 'warning', category: 'cost' },
          annotations: {
            summary: 'Four fifths of the daily budget for model calls are spent',
            description: `Model calls cost {{ $value | printf "%.2f" }} USD in the last 24 hours; the budget is ${limit} USD.`,
            ...about,
            runbook: 'docs/runbooks.md#dailybudget80percent',
          },
        },
      ],
    },
  ];
}

/** Limits that the GenOps budget rules compare with, in USD per day: the teams', and `all` for the profile's; a limit of 0 is none. */
export function teamBudgets(limitUsd: number, byTeam: Readonly<Record<string, number>>): RuleGroup[] {
  const limits = Object.entries({ all: limitUsd, ...byTeam }).filter(([, limit]) => limit !== 0);
  if (limits.length === 0) return [];
  const rules = limits.map(([team, limit]) => ({ record: 'genops:budget_usd', expr: `vector(${decimal(limit, `budget of ${team}`)})`, labels: { team } }));
  return [{ name: 'genops-budgets', rules }];
}

/** A number as PromQL reads it back unchanged. */
function decimal(value: number, what: string): string {
  if (!Number.isFinite(value) || value < 0) throw usageError(`the ${what} must be a number of USD, 0 or more, not ${value}`);
  return String(value);
}

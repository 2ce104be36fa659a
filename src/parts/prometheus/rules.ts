import { usageError } from '../../core/errors.ts';

/** Prometheus rules for prices and budgets of the profile; all others are in templates/rules/. */

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

/** The cost rule joins on model and token type. @throws ObsError (usage) for a duplicate model or invalid price */
export function priceRules(prices: readonly ListPrice[], overrides: PriceOverrides = {}): RuleGroup {
  const byModel = new Map<string, TokenPrice>();
  for (const { model, input, output } of prices) {
    if (byModel.has(model))
      throw usageError(
        `the price list has two entries for the model ${model}`,
        'keep one entry per model in templates/prices.yaml',
      );
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

/** Groups for a budget in USD per day; none for 0, which means no budget. */
export function budgetRules(limitUsd: number): RuleGroup[] {
  const limit = decimal(limitUsd, 'budget limit');
  if (limitUsd === 0) return [];
  const spent = 'sum(genai:cost_usd:increase1d)';
  const budget = {
    description: `Model calls cost {{ $value | printf "%.2f" }} USD in the last 24 hours; the budget is ${limit} USD.`,
    dashboard_uid: 'genai-overview',
  };
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
            ...budget,
            runbook: 'docs/runbooks.md#dailybudgetexceeded',
          },
        },
        {
          alert: 'DailyBudget80Percent',
          expr: `${spent} > 0.8 * ${limit}`,
          for: '5m',
          labels: { severity: 'warning', category: 'cost' },
          annotations: {
            summary: 'More than 80 % of the daily budget for model calls is spent',
            ...budget,
            runbook: 'docs/runbooks.md#dailybudget80percent',
          },
        },
      ],
    },
  ];
}

/** Limits in USD per day for the GenOps budget rules: one per team, and `all` for the profile's; 0 means no limit. */
export function teamBudgets(limitUsd: number, byTeam: Readonly<Record<string, number>>): RuleGroup[] {
  const limits = Object.entries({ all: limitUsd, ...byTeam }).filter(([, limit]) => limit !== 0);
  if (limits.length === 0) return [];
  const rules = limits.map(([team, limit]) => ({
    record: 'genops:budget_usd',
    expr: `vector(${decimal(limit, `budget of ${team}`)})`,
    labels: { team },
  }));
  return [{ name: 'genops-budgets', rules }];
}

const MONTHLY = [
  { percent: 50, severity: 'info' },
  { percent: 75, severity: 'warning' },
  { percent: 90, severity: 'critical' },
];

/** USD for any 30 days; spending per 5 minutes is recorded per team, so that 30 days are few samples. */
export function monthlyBudgets(limitUsd: number, byTeam: Readonly<Record<string, number>>): RuleGroup[] {
  const limits = Object.entries({ all: limitUsd, ...byTeam }).filter(([, limit]) => limit !== 0);
  if (limits.length === 0) return [];
  const spent = 'genai:spent_usd:increase5m';
  const limit = ([team, usd]: [string, number]): Rule => ({
    record: 'genai:monthly_budget_usd',
    expr: `vector(${decimal(usd, `monthly budget of ${team}`)})`,
    labels: { team },
  });
  const teams = Object.keys(byTeam).length
    ? [{ record: spent, expr: 'sum by (team) (genops:cost_usd:increase5m{team!=""})' }]
    : [];
  const alert = ({ percent, severity }: (typeof MONTHLY)[number]): Rule => ({
    alert: `MonthlyBudget${percent}Percent`,
    expr: `genai:monthly_budget_used:ratio > ${percent / 100}`,
    for: '5m',
    labels: { severity, category: 'cost' },
    annotations: {
      summary: `More than ${percent} % of the monthly budget of {{ $labels.team }} is spent`,
      description:
        'Model calls of {{ $labels.team }} cost {{ $value | humanizePercentage }} of their budget for 30 days.',
      dashboard_uid: 'genai-overview',
      runbook: `docs/runbooks.md#monthlybudget${percent}percent`,
    },
  });
  return [
    {
      name: 'genai-monthly-budget',
      interval: '2m',
      rules: [
        ...limits.map(limit),
        { record: spent, expr: 'sum(genai:cost_usd:increase5m)', labels: { team: 'all' } },
        ...teams,
        // In steps of 5 minutes, because each sample is the sum of 5 minutes.
        { record: 'genai:spent_usd:increase30d', expr: `sum_over_time(${spent}[30d:5m])` },
        {
          record: 'genai:monthly_budget_used:ratio',
          expr: 'genai:spent_usd:increase30d / on (team) genai:monthly_budget_usd',
        },
      ],
    },
    { name: 'genai-monthly-budget-alerts', rules: MONTHLY.map(alert) },
  ];
}

/** A number as a PromQL literal. @throws ObsError (usage) for a negative or infinite number */
function decimal(value: number, what: string): string {
  if (!Number.isFinite(value) || value < 0)
    throw usageError(`the ${what} must be a number of USD, 0 or more, not ${value}`);
  return String(value);
}

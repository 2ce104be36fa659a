import { usageError } from '../../core/errors.ts';

/** Prometheus rules that depend on the profile: prices and the budgets. Pure; the rest is in templates/rules/. */

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
    if (byModel.has(model))
      throw usageError(
        `the price list names the model ${model} twice`,
        'Keep one entry per model in templates/prices.yaml.',
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
  const rules = limits.map(([team, limit]) => ({
    record: 'genops:budget_usd',
    expr: `vector(${decimal(limit, `budget of ${team}`)})`,
    labels: { team },
  }));
  return [{ name: 'genops-budgets', rules }];
}

/** Shares of a monthly budget of which somebody is told (contradiction X-26). */
const MONTHLY = [
  { percent: 50, severity: 'info' },
  { percent: 75, severity: 'warning' },
  { percent: 90, severity: 'critical' },
];

/**
 * Budgets in USD for any 30 days: the profile's as team `all`, and the teams', whose spending only the rules of GenOps know.
 * What was spent in five minutes is recorded as one series a team, so that 30 days of it are few samples.
 */
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
      summary: `More than ${percent} % of the monthly budget of {{ $labels.team }} are spent`,
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
        // Steps of five minutes, each the sum of its own five.
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

/** A number as PromQL reads it back unchanged. */
function decimal(value: number, what: string): string {
  if (!Number.isFinite(value) || value < 0)
    throw usageError(`the ${what} must be a number of USD, 0 or more, not ${value}`);
  return String(value);
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import getPort from 'get-port';
import { afterAll, describe, expect, it } from 'vitest';
import { at, listAt } from '../../src/core/json.ts';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import { budgetRules, monthlyBudgets, priceRules, type ListPrice } from '../../src/parts/prometheus/rules.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { quickstart } from './support/config.ts';
import { bedProgram, start, stopAll, until } from './support/programs.ts';

const list: ListPrice[] = [
  { model: 'gpt-4o', provider: 'openai', input: 2.5, output: 10 },
  { model: 'claude-sonnet-4', provider: 'anthropic', input: 3, output: 15 },
];
const prices = (group: ReturnType<typeof priceRules>) =>
  group.rules.map((rule) => `${rule.labels?.['model']} ${rule.labels?.['token_type']} ${rule.expr}`);

describe('priceRules', () => {
  it('creates a rule per model and token type, in a stable order', () => {
    expect(prices(priceRules(list))).toEqual([
      'claude-sonnet-4 input vector(3)',
      'claude-sonnet-4 output vector(15)',
      'gpt-4o input vector(2.5)',
      'gpt-4o output vector(10)',
    ]);
    expect(priceRules(list.toReversed())).toEqual(priceRules(list));
  });

  it('lets a profile override prices and add models, also free ones', () => {
    expect(
      prices(priceRules(list, { 'gpt-4o': { input: 2, output: 8 }, 'llama-3.3-70b': { input: 0, output: 0 } })),
    ).toEqual([
      'claude-sonnet-4 input vector(3)',
      'claude-sonnet-4 output vector(15)',
      'gpt-4o input vector(2)',
      'gpt-4o output vector(8)',
      'llama-3.3-70b input vector(0)',
      'llama-3.3-70b output vector(0)',
    ]);
  });

  it('refuses prices that would break the cost rule', () => {
    expect(() => priceRules([...list, ...list])).toThrow(/two entries for the model gpt-4o/);
    expect(() => priceRules(list, { x: { input: -1, output: 0 } })).toThrow(/price of x \(input\)/);
    expect(() => priceRules(list, { x: { input: Number.NaN, output: 0 } })).toThrow();
  });

  it('accepts the shipped price list, with the models of the sample workload', () => {
    const shipped = parse(readFileSync('templates/prices.yaml', 'utf8')) as {
      asOf: string;
      source: string;
      prices: ListPrice[];
    };
    expect(shipped.asOf).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(shipped.source).not.toBe('');
    expect(shipped.prices.length).toBeGreaterThanOrEqual(25);
    expect(priceRules(shipped.prices).rules).toHaveLength(2 * shipped.prices.length);
    const models = shipped.prices.map((price) => price.model);
    expect(models).toEqual(expect.arrayContaining(['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4']));
    // The recording rules strip dates, so a dated name would never match.
    expect(models.filter((model) => /[-@](20\d{6}|20\d\d-\d\d-\d\d)$/.test(model))).toEqual([]);
  });
});

describe('budgetRules', () => {
  it('records the limit and alerts on it', () => {
    const rules = budgetRules(1000).flatMap((group) => group.rules);
    expect(rules.map((rule) => [rule.record ?? rule.alert, rule.expr, rule.for, rule.labels])).toEqual([
      ['genai:budget_limit_usd', 'vector(1000)', undefined, undefined],
      [
        'DailyBudgetExceeded',
        'sum(genai:cost_usd:increase1d) > 1000',
        '5m',
        { severity: 'critical', category: 'cost' },
      ],
      [
        'DailyBudget80Percent',
        'sum(genai:cost_usd:increase1d) > 0.8 * 1000',
        '5m',
        { severity: 'warning', category: 'cost' },
      ],
    ]);
  });

  it('has no rules without a budget, and refuses an invalid one', () => {
    expect(budgetRules(0)).toEqual([]);
    expect(() => budgetRules(-1)).toThrow(/budget limit/);
  });
});

describe('monthlyBudgets', () => {
  const rules = (limit: number, byTeam: Record<string, number>) =>
    monthlyBudgets(limit, byTeam).flatMap((group) => group.rules);

  it('compares 30 days with the limits of all and of each team, and alerts at 50, 75 and 90 percent', () => {
    expect(rules(20_000, { search: 500 }).map((rule) => [rule.record ?? rule.alert, rule.expr, rule.labels])).toEqual([
      ['genai:monthly_budget_usd', 'vector(20000)', { team: 'all' }],
      ['genai:monthly_budget_usd', 'vector(500)', { team: 'search' }],
      ['genai:spent_usd:increase5m', 'sum(genai:cost_usd:increase5m)', { team: 'all' }],
      ['genai:spent_usd:increase5m', 'sum by (team) (genops:cost_usd:increase5m{team!=""})', undefined],
      ['genai:spent_usd:increase30d', 'sum_over_time(genai:spent_usd:increase5m[30d:5m])', undefined],
      [
        'genai:monthly_budget_used:ratio',
        'genai:spent_usd:increase30d / on (team) genai:monthly_budget_usd',
        undefined,
      ],
      ['MonthlyBudget50Percent', 'genai:monthly_budget_used:ratio > 0.5', { severity: 'info', category: 'cost' }],
      ['MonthlyBudget75Percent', 'genai:monthly_budget_used:ratio > 0.75', { severity: 'warning', category: 'cost' }],
      ['MonthlyBudget90Percent', 'genai:monthly_budget_used:ratio > 0.9', { severity: 'critical', category: 'cost' }],
    ]);
  });

  it('uses no GenOps rule without team budgets, and has no rules without a budget', () => {
    expect(JSON.stringify(rules(20_000, {}))).not.toContain('genops');
    expect(monthlyBudgets(0, {})).toEqual([]);
    expect(monthlyBudgets(0, { search: 0 })).toEqual([]);
    expect(() => monthlyBudgets(0, { search: -1 })).toThrow(/monthly budget of search/);
    const text = (over: JsonMap) =>
      ruleFiles(quickstart({ prometheus: { server: { retention: '30d' } }, genai: over }))['prices-and-budget.yaml'];
    expect(text({ cost: { monthlyLimit: 9 } })).toContain('MonthlyBudget90Percent');
    expect(text({ genops: { monthlyBudgets: { search: 9 } } })).not.toContain('MonthlyBudget');
    expect(text({ genops: { enabled: true, monthlyBudgets: { search: 9 } } })).toContain('team: search');
  });
});

const program = bedProgram('prometheus');

describe.skipIf(!program)(`Prometheus${program ? '' : ' (skipped: prometheus is not built for the bed)'}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-rules-'));
  afterAll(() => {
    stopAll();
    rmSync(dir, { recursive: true, force: true });
  });

  it('sums the spending of each team, and fires', async () => {
    // A minute instead of 30 days, a second instead of five minutes.
    const quick = stringify({ groups: monthlyBudgets(1_000_000, { search: 20, idle: 5 }) })
      .replaceAll('30d:5m', '60s:1s')
      .replaceAll(/(interval|for): \d+m/g, '$1: 1s');
    const spent = (record: string, labels: Record<string, string>) => ({ record, expr: 'vector(2)', labels });
    const spending = {
      name: 'spending',
      rules: [
        spent('genai:cost_usd:increase5m', { model: 'a' }),
        spent('genops:cost_usd:increase5m', { team: 'search' }),
      ],
    };
    writeFileSync(join(dir, 'budgets.yaml'), quick);
    writeFileSync(join(dir, 'spending.yaml'), stringify({ groups: [spending] }));
    writeFileSync(
      join(dir, 'prometheus.yml'),
      stringify({ global: { evaluation_interval: '1s' }, rule_files: ['*.yaml'] }),
    );
    const port = await getPort();
    const store = start(program ?? '', [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const ask = (path: string): Promise<JsonMap | undefined> =>
      fetch(`http://127.0.0.1:${port}/api/v1/${path}`).then(
        (answer) => (answer.ok ? (answer.json() as Promise<JsonMap>) : undefined),
        () => undefined,
      );
    const firing = async (): Promise<string[] | undefined> => {
      const alerts = listAt(await ask('alerts'), 'data', 'alerts').filter((alert) => at(alert, 'state') === 'firing');
      const names = alerts.map((alert) => [at(alert, 'labels', 'alertname'), at(alert, 'labels', 'team')].join(' '));
      return names.includes('MonthlyBudget90Percent search') ? names.toSorted() : undefined;
    };
    expect(await until(firing, store.said, 60)).toEqual([
      'MonthlyBudget50Percent search',
      'MonthlyBudget75Percent search',
      'MonthlyBudget90Percent search',
    ]);
    // As shipped: one step per five minutes of 30 days.
    const steps = await ask(`query?query=${encodeURIComponent('sum_over_time(vector(1)[30d:5m])')}`);
    expect(listAt(listAt(steps, 'data', 'result')[0], 'value')[1]).toBe('8640');
    const { data } = (await ask('rules')) ?? {};
    const broken = listAt(data, 'groups').flatMap((group) =>
      listAt(group, 'rules').filter((rule) => at(rule, 'health') !== 'ok'),
    );
    expect(broken).toEqual([]);
    await store.stop();
  }, 90_000);
});

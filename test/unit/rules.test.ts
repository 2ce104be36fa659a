import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { budgetRules, priceRules, type ListPrice } from '../../src/components/rules.ts';

const list: ListPrice[] = [
  { model: 'gpt-4o', provider: 'openai', input: 2.5, output: 10 },
  { model: 'claude-sonnet-4', provider: 'anthropic', input: 3, output: 15 },
];
const prices = (group: ReturnType<typeof priceRules>) => group.rules.map((rule) => `${rule.labels?.['model']} ${rule.labels?.['token_type']} ${rule.expr}`);

describe('priceRules', () => {
  it('makes a rule per model and token type, in a stable order', () => {
    expect(prices(priceRules(list))).toEqual([
      'claude-sonnet-4 input vector(3)',
      'claude-sonnet-4 output vector(15)',
      'gpt-4o input vector(2.5)',
      'gpt-4o output vector(10)',
    ]);
    expect(priceRules(list.toReversed())).toEqual(priceRules(list));
  });

  it('lets a profile replace prices and add models, free ones too', () => {
    expect(prices(priceRules(list, { 'gpt-4o': { input: 2, output: 8 }, 'llama-3.3-70b': { input: 0, output: 0 } }))).toEqual([
      'claude-sonnet-4 input vector(3)',
      'claude-sonnet-4 output vector(15)',
      'gpt-4o input vector(2)',
      'gpt-4o output vector(8)',
      'llama-3.3-70b input vector(0)',
      'llama-3.3-70b output vector(0)',
    ]);
  });

  it('refuses what would break the cost rule', () => {
    expect(() => priceRules([...list, ...list])).toThrow(/gpt-4o twice/);
    expect(() => priceRules(list, { x: { input: -1, output: 0 } })).toThrow(/price of x \(input\)/);
    expect(() => priceRules(list, { x: { input: Number.NaN, output: 0 } })).toThrow();
  });

  it('takes the shipped price list, with the models of the sample workload', () => {
    const shipped = parse(readFileSync('templates/prices.yaml', 'utf8')) as { asOf: string; source: string; prices: ListPrice[] };
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
  it('records the limit and alerts on it (row 000-VAL-06)', () => {
    const rules = budgetRules(1000).flatMap((group) => group.rules);
    expect(rules.map((rule) => [rule.record ?? rule.alert, rule.expr, rule.for, rule.labels])).toEqual([
      ['genai:budget_limit_usd', 'vector(1000)', undefined, undefined],
      ['DailyBudgetExceeded', 'sum(genai:cost_usd:increase1d) > 1000', '5m', { severity: 'critical', category: 'cost' }],
      ['DailyBudget80Percent', 'sum(genai:cost_usd:increase1d) > 0.8 * 1000', '5m', { severity: 'warning', category: 'cost' }],
    ]);
  });

  it('has no rules without a budget and none for a senseless one', () => {
    expect(budgetRules(0)).toEqual([]);
    expect(() => budgetRules(-1)).toThrow(/budget limit/);
  });
});

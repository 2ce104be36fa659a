import { FactUnavailable, type Facts } from './facts.ts';

/** Selector of a collector's own counter with or without `_total`, which depends on version and exporter. */
export function otelcol(name: string, matchers = ''): string {
  return `{__name__=~"otelcol_${name}(_total)?"${matchers ? `,${matchers}` : ''}}`;
}

/** The single value of an aggregation; undefined when no series matches, which is not 0. */
export function scalar(facts: Facts, expr: string): number | undefined {
  return facts.promql(expr)[0]?.value;
}

/** The value of a series that must exist. @throws FactUnavailable without it */
export function required(facts: Facts, expr: string, what: string): number {
  const value = scalar(facts, expr);
  if (value === undefined) throw new FactUnavailable(`Prometheus has no series for ${what}`);
  return value;
}

/** `12 lines/s`; without a unit `12/s`. */
export function rate(value: number, unit = ''): string {
  const amount = value === 0 ? '0' : String(value >= 10 ? Math.round(value) : Number(value.toPrecision(2)));
  return `${amount}${unit ? ` ${unit}` : ''}/s`;
}

/** Rates of several counters as one vector: rate() drops the names, so that each keeps its own in a label. */
export function ratesOf(names: readonly string[], window: string): string {
  return names
    .map((name, i) => `label_replace(rate({__name__=~"${name}(_total)?"}[${window}]),"c","${i}","","")`)
    .join(' or ');
}

import { parser as logql } from '@grafana/lezer-logql';
import type { SyntaxNodeRef } from '@lezer/common';
import { parser as promql } from '@prometheus-io/lezer-promql';

/** PromQL and LogQL, read by the parsers of their own editors. */

export type Language = 'promql' | 'logql';
const PARSERS = { promql, logql };

export interface Matcher {
  label: string;
  operator: string;
  value: string;
}

function nodes(expr: string, language: Language): { name: string; text: string; node: SyntaxNodeRef['node'] }[] {
  const found: ReturnType<typeof nodes> = [];
  PARSERS[language].parse(expr).iterate({
    enter: ({ name, from, to, node }) => void found.push({ name, text: expr.slice(from, to), node }),
  });
  return found;
}

/** The first syntax error, or undefined. */
export function syntaxProblem(expr: string, language: Language): string | undefined {
  const error = nodes(expr, language).find(({ node }) => node.type.isError)?.node;
  if (!error) return undefined;
  const rest = expr.slice(error.from).trim();
  return rest ? `syntax error at character ${error.from + 1}, "${rest.slice(0, 20)}"` : 'it ends too early';
}

/** Label matchers of all selectors of a PromQL expression; a metric name in quotes counts as one of `__name__`. */
export function matchersOf(expr: string): Matcher[] {
  return nodes(expr, 'promql').flatMap(({ name, text, node }): Matcher[] => {
    if (name === 'QuotedLabelName' && node.parent?.name === 'LabelMatchers')
      return [{ label: '__name__', operator: '=', value: unquoted(text) }];
    if (name !== 'UnquotedLabelMatcher' && name !== 'QuotedLabelMatcher') return [];
    const [label, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((child) => {
      const found = node.getChild(child) ?? (child === 'LabelName' ? node.firstChild : null);
      return found ? expr.slice(found.from, found.to) : '';
    });
    return [{ label: unquoted(label ?? ''), operator: operator ?? '', value: unquoted(value ?? '') }];
  });
}

/** Metrics that a PromQL expression reads: names, and patterns of `{__name__=~"…"}`. */
export function metricsOf(expr: string): { names: string[]; patterns: string[] } {
  const bare = nodes(expr, 'promql')
    .filter(({ name, node }) => name === 'Identifier' && node.parent?.name === 'VectorSelector')
    .map(({ text }) => text);
  const of = (operator: string) =>
    matchersOf(expr).flatMap((one) => (one.label === '__name__' && one.operator === operator ? [one.value] : []));
  return { names: [...new Set([...bare, ...of('=')])], patterns: [...new Set(of('=~'))] };
}

/** Line and label filters of a LogQL query, as they are written. */
export function filtersOf(expr: string): string[] {
  return nodes(expr, 'logql')
    .filter(({ name }) => name === 'LineFilter' || name === 'LabelFilter')
    .map(({ text }) => text);
}

/** A query of Grafana with something in place of its variables that the parsers can read: `$x` becomes `x`. */
export function withoutVariables(expr: string): string {
  return expr
    .replace(/\$__(rate_interval|interval|range)\b|\$\{__(rate_interval|interval|range)[^}]*\}/g, '5m')
    .replace(/\$\{([^}:]+)[^}]*\}|\$(\w+)/g, (_all, braced?: string, bare?: string) =>
      (braced ?? bare ?? '').replace(/\W/g, '_'),
    );
}

/** Text of a string literal; backticks have no escapes. */
function unquoted(literal: string): string {
  const quote = literal[0] ?? '';
  if (!'"\'`'.includes(quote) || !literal.endsWith(quote)) return literal;
  const text = literal.slice(1, -1);
  return quote === '`' ? text : text.replace(/\\(["'`\\])/g, '$1');
}

const TRAFFIC = /^(gen_ai|genai:|genops|traces_|llm|vllm|ALERTS)/i;
const EVENTS =
  /fail|refus|reject|discard|drop|error|evict|out_of_order|restart|too_old|missing|oom|reason|notification/i;

/** Series that exist only after traffic of an application or an event: their absence is ok. */
function comesWithEvents(metric: string): boolean {
  return TRAFFIC.test(metric) || EVENTS.test(metric);
}

/** Metrics of an expression that Prometheus does not know and that should exist. */
export function missingMetrics(expr: string, known: Set<string>): string[] {
  const { names, patterns } = metricsOf(expr);
  const unknownPattern = (pattern: string) => ![...known].some((name) => matches(pattern, name));
  return [...names.filter((name) => !known.has(name)), ...patterns.filter(unknownPattern)].filter(
    (name) => !comesWithEvents(name),
  );
}

function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`).test(name);
  } catch {
    // RE2 has syntax that JavaScript lacks: such a pattern counts as matching.
    return true;
  }
}

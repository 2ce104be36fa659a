import { FactUnavailable, type Facts } from './facts.ts';

/** Tolerant selector of a collector's own counter: its suffix depends on version and way (upstream.md B.0). */
export function otelcol(name: string, matchers = ''): string {
  return `{__name__=~"otelcol_${name}(_total)?"${matchers ? `,${matchers}` : ''}}`;
}

/** The single value of an aggregation; undefined when no series matches, which is not 0. */
export function scalar(facts: Facts, expr: string): number | undefined {
  return facts.promql(expr)[0]?.value;
}

/** The value where the series must exist: a missing one could not be collected. */
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

/** What can be said of an expression without a parser: unbalanced brackets or an open string. */
export function syntaxProblem(expr: string): string | undefined {
  const closes: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
  const open: string[] = [];
  let quote = '';
  for (let i = 0; i < expr.length; i++) {
    const char = expr[i] ?? '';
    if (quote) {
      if (char === '\\' && quote !== '`') i++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (char === '#') while (i < expr.length && expr[i] !== '\n') i++;
    else if ('([{'.includes(char)) open.push(char);
    else if (closes[char] && open.pop() !== closes[char]) return `unexpected "${char}"`;
  }
  if (quote) return 'a string that does not end';
  return open.length ? `"${open.at(-1)}" is not closed` : undefined;
}

const WORDS = new Set([
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'atan2',
  'inf',
  'nan',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'start',
  'end',
]);

/** Metrics that an expression reads: plain names, and patterns of `{__name__=~"…"}`. */
export function metricsOf(expr: string): { names: string[]; patterns: string[] } {
  const patterns = [...expr.matchAll(/__name__\s*=~\s*"([^"]+)"/g)].map((match) => match[1] ?? '');
  const named = [...expr.matchAll(/__name__\s*=\s*"([^"]+)"/g)].map((match) => match[1] ?? '');
  const bare = expr
    .replace(/#.*$/gm, ' ')
    .replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`/g, '""')
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  const found = [...bare.matchAll(/(?<![\w:.$])([a-zA-Z_:][\w:]*)\s*(\(?)/g)]
    .filter(([, name = '', call]) => call !== '(' && !WORDS.has(name.toLowerCase()))
    .map((match) => match[1] ?? '');
  return { names: [...new Set([...named, ...found])], patterns: [...new Set(patterns)] };
}

/**
 * Series that exist only once an application has sent something or an event has happened: their absence is no fault.
 * Everything else comes from the stack itself.
 */
export function comesWithEvents(metric: string): boolean {
  return /^(gen_ai|genai:|genops|traces_|llm|vllm|ALERTS)|fail|refus|reject|discard|drop|error|evict|out_of_order|restart|too_old|missing|oom|reason|notification/i.test(
    metric,
  );
}

/** Metrics of an expression that Prometheus does not know and that should be there. */
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
    // RE2 knows what JavaScript does not: such a pattern is not accused.
    return true;
  }
}

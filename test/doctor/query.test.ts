import { describe, expect, it } from 'vitest';
import {
  filtersOf,
  matchersOf,
  metricsOf,
  missingMetrics,
  syntaxProblem,
  withoutVariables,
} from '../../src/checks/lib/query.ts';

const names = (expr: string) => metricsOf(expr).names.toSorted();

describe('metrics of a PromQL expression', () => {
  it.each([
    ['a brace in a label value', 'up{path="/a}b{c"} + down', ['down', 'up']],
    ['a word in a string', 'label_replace(up, "job", "node_load1 and rate(x[5m])", "", "") or vector(0)', ['up']],
    ['aggregation labels before and after', 'sum by (pod, node) (a) / sum(b) without (instance)', ['a', 'b']],
    ['vector matching', 'a * on (pod) group_left (node, zone) b unless ignoring (x) c', ['a', 'b', 'c']],
    ['offset, @ and a subquery', 'max_over_time(rate(a[5m] offset 1h)[1h:5m]) - b @ start() offset -5m', ['a', 'b']],
    ['a comment', 'a # minus not_a_metric{x="y"}\n  + b', ['a', 'b']],
    ['a # in a string', 'a{x="# not a comment"} + b', ['a', 'b']],
    ['histogram_quantile', 'histogram_quantile(0.99, sum by (le) (rate(h_bucket[5m])))', ['h_bucket']],
    ['an aggregation as the name of a metric', 'sum(sum) + count', ['count', 'sum']],
    ['functions, numbers and durations', 'clamp_max(a, 1e3) > bool Inf and time() - 0x1F > 5m', ['a']],
    ['a quoted name', '{"service.requests", code="500"}', ['service.requests']],
    ['an exact __name__', "{__name__='a',x=~'b|c'}", ['a']],
    ['a recording rule', 'genai:tokens:rate5m{a!="b"}', ['genai:tokens:rate5m']],
  ])('%s', (_what, expr, expected) => {
    expect(syntaxProblem(expr, 'promql')).toBeUndefined();
    expect(names(expr)).toEqual(expected);
  });

  it('takes patterns of names, and only those of the label __name__', () => {
    expect(metricsOf('{__name__=~"a(_total)?",x=~"{__name__=~\\"no\\"}"} / {__name__!~"c.*",y="z"}')).toEqual({
      names: [],
      patterns: ['a(_total)?'],
    });
  });

  it('misses what Prometheus does not know, unless it comes with events', () => {
    const known = new Set(['a_total', 'b']);
    expect(missingMetrics('{__name__=~"a(_total)?"} + b + c{b="d"} + e_errors_total', known)).toEqual(['c']);
    expect(missingMetrics('{__name__=~"(?i)a"} + {__name__=~"z.+"}', known)).toEqual(['z.+']);
  });
});

describe('matchers of a PromQL expression', () => {
  it('reads labels, operators and values, with spaces, quotes and escapes', () => {
    expect(matchersOf(`up{ job = 'etcd', path!~"a\\"}b", x=\`\\d{2}\`} + on (job) y{"my.label"="z"}`)).toEqual([
      { label: 'job', operator: '=', value: 'etcd' },
      { label: 'path', operator: '!~', value: 'a"}b' },
      { label: 'x', operator: '=', value: '\\d{2}' },
      { label: 'my.label', operator: '=', value: 'z' },
    ]);
  });

  it('finds none in a string', () => {
    expect(matchersOf('label_replace(up, "a", "job=\\"etcd\\"", "", "")')).toEqual([]);
  });
});

describe('syntax', () => {
  it.each([
    ['promql', 'sum(rate(a[5m])', 'it ends too early'],
    ['promql', 'sum(a))', 'syntax error at character 7, ")"'],
    ['promql', 'a{b="c}', undefined],
    ['promql', 'rate(a[5m]) by (x)', undefined],
    ['promql', 'sum(a) by (x) b', undefined],
    ['logql', '{a="b"', 'it ends too early'],
    ['logql', '{a="b"} |= `open', undefined],
  ] as const)('%s %s', (language, expr, expected) => {
    const problem = syntaxProblem(expr, language);
    expect(problem).toBeDefined();
    if (expected) expect(problem).toBe(expected);
  });

  it.each([
    '{service_name="a{b}"} |= `}"{` != "x" | json | level="error"',
    'sum by (level) (count_over_time({a=~"b|c"} |~ `\\d{3} (` | logfmt | x > 5 [5m]))',
    'topk(5, sum by (pod) (rate({job="x"} # comment with ( and "\n [1m])))',
  ])('LogQL takes %s', (expr) => {
    expect(syntaxProblem(expr, 'logql')).toBeUndefined();
  });
});

describe('LogQL filters', () => {
  it('are line and label filters, not selectors', () => {
    expect(filtersOf('{service_name="tracer"} |= `x | y="z"` | json | trace_id="4bf9"')).toEqual([
      '|= `x | y="z"`',
      'trace_id="4bf9"',
    ]);
  });
});

describe('variables of Grafana', () => {
  it('leave an expression that parses', () => {
    const expr = withoutVariables('sum by ($by) (rate(a{ns=~"$ns",x="${y:regex}"}[$__rate_interval])) > ${__range_s}');
    expect(expr).toBe('sum by (by) (rate(a{ns=~"ns",x="y"}[5m])) > 5m');
    expect(syntaxProblem(expr, 'promql')).toBeUndefined();
    expect(withoutVariables('{a="b"} | trace_id="${__trace.traceId}"')).toBe('{a="b"} | trace_id="__trace_traceId"');
  });
});

import { formatBytes } from '../../core/quantity.ts';
import { checksOf, fail, type Verdict, type Check, ok, warn, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { list, percent } from '../../core/text.ts';
import { type Config, namespacesOf } from '../../profile/schema.ts';

const mnt = checksOf('MNT');

interface Figure {
  name: string;
  expr: string;
  text: (value: number) => string;
  /** Whether a lower value is ok; fewer samples are not, because something has stopped sending. */
  lessIsGood: boolean;
  /** Below this value changes are ignored. */
  floor: number;
}

/** Matcher of PromQL for one or several names. */
function oneOf(names: string[]): string {
  return names.length > 1 ? `=~"${names.join('|')}"` : `="${names[0]}"`;
}

const figures = (config: Config): Figure[] => [
  {
    name: 'samples appended',
    expr: 'sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))',
    text: (value) => `${Math.round(value)}/s`,
    lessIsGood: false,
    floor: 0,
  },
  {
    name: 'query time (p99)',
    expr: 'max(prometheus_engine_query_duration_seconds{quantile="0.99",slice="inner_eval"})',
    text: (value) => `${Math.round(value * 1000)} ms`,
    lessIsGood: true,
    floor: 0.1,
  },
  {
    name: 'memory of the stack',
    expr: `sum(k8s_pod_memory_working_set_bytes{k8s_namespace_name${oneOf(namespacesOf(config))}})`,
    text: formatBytes,
    lessIsGood: true,
    floor: 0,
  },
];

function compare(facts: Facts): Verdict {
  const taken = facts.baselineTime();
  if (!taken)
    return skip('no baseline given: save one with doctor --save-facts FILE, later run doctor --baseline FILE');
  const rows = figures(facts.config).map((figure) => {
    const [before, now] = [facts.baselinePromql(figure.expr)[0]?.value, facts.promql(figure.expr)[0]?.value];
    if (before === undefined || now === undefined)
      throw new FactUnavailable(
        `no figure for ${figure.name} ${before === undefined ? 'in the baseline' : 'in Prometheus'}`,
      );
    const change = before > 0 ? now / before - 1 : Number(now > 0);
    const calm = Math.max(before, now) <= figure.floor || (figure.lessIsGood && change < 0);
    return {
      text: `${figure.name} ${figure.text(before)} → ${figure.text(now)}`,
      change,
      bad: calm ? 0 : Math.abs(change),
    };
  });
  const day = taken.iso.slice(0, 10);
  const worst = Math.max(...rows.map(({ bad }) => bad));
  if (worst <= 0.2) return ok(`within 20 % of ${day}: ${rows.map(({ text }) => text).join(', ')}`);
  const moved = rows
    .filter(({ bad }) => bad > 0.2)
    .map(({ text, change }) => `${text} (${change > 0 ? '+' : '−'}${percent(Math.abs(change))})`);
  const judge = worst > 0.5 ? fail : warn;
  return judge(`since ${day}: ${list(moved)}`, {
    cause: 'the load has changed, or something sends more, or less, than it did',
    fix: 'check the dashboard Stack Health; if this is the new normal: genai-obs doctor --save-facts FILE',
  });
}

export const baselineChecks: Check[] = [
  mnt('06', 'Figures match the baseline', {
    about:
      'Compares samples per second, query time and memory of the stack with a baseline: any facts ' +
      'file, written by `doctor --save-facts FILE` and given with `doctor --baseline FILE`. Ok: within ' +
      '20 %. Warning: within 50 %. Failed: more. Less memory and faster queries are ok; query times ' +
      'below 100 ms are not compared.',
    sources: '004-MNT-02, 004-MNT-03',
    reads: (config) => [
      fact.baselineTime(),
      ...figures(config).flatMap(({ expr }) => [fact.promql(expr), fact.baselinePromql(expr)]),
    ],
    skipIf: (config) => (config.prometheus.enabled ? undefined : 'prometheus.enabled is false'),
    dependsOn: ['PROM-01', 'PROM-03', 'PROM-04', 'PROM-19'],
    run: compare,
  }),
];

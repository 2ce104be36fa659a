import { bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { listAt, textAt, numberAt } from '../../core/json.ts';
import { plural, list, percent } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import { resourceOf, workloadObject } from '../lib/place.ts';
import { rate, ratesOf, required, scalar } from '../lib/promql.ts';
import { CLOCK_READS, settledFor } from '../lib/time.ts';

const prom = checksOf('PROM');
const TSDB = '/api/v1/status/tsdb';
const TSDB_KEY = fact.http('prometheus', TSDB);
const SELF = ['PROM-01', 'PROM-03'];

const APPENDED = 'sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))';
const REJECTIONS = ['out_of_order', 'too_old', 'out_of_bound'].map((reason) => `prometheus_tsdb_${reason}_samples`);
const REJECTED = `sum(${ratesOf(REJECTIONS, '5m')})`;
const DOUBLED = 'count({__name__=~"(genops|gen_ai|otelcol|traces|genai)_(genops|gen_ai|otelcol|traces|genai)_.+"})';

/** Labels that name people, texts or single requests: their cardinality is unbounded. */
const SUBJECTS = 'customer|user|session|conversation|request|prompt|completion|message|trace|span|email|account|tenant';
const PERSONAL = new RegExp(`^(${SUBJECTS})(_?id|_?text|_?name)?$|url|query|path_raw`, 'i');

interface Count {
  name: string;
  value: number;
}

function counts(facts: Facts, list: string): Count[] {
  return listAt(bodyOf(facts, 'prometheus', TSDB), 'data', list).map((one) => ({
    name: textAt(one, 'name') ?? '?',
    value: numberAt(one, 'value') ?? 0,
  }));
}

function headSeries(facts: Facts): Verdict {
  const total = numberAt(bodyOf(facts, 'prometheus', TSDB), 'data', 'headStats', 'numSeries') ?? 0;
  const top = counts(facts, 'seriesCountByMetricName');
  const first = top[0];
  const text = `${total} series in memory; most: ${list(
    top.map(({ name, value }) => `${name} ${value}`),
    3,
  )}`;
  const more = {
    cause:
      first && first.value > 0.2 * total
        ? `${first.name} has ${percent(first.value / total)} of all series`
        : 'labels with many values, or many pods',
    fix: 'drop or aggregate unused labels, in the application or with metric_relabel_configs',
    object: workloadObject(facts, 'prometheus'),
  };
  if (total >= 3e6) return fail(text, more);
  // In a small installation a single histogram often exceeds a fifth of all series.
  if (total > 1e5 && first && first.value > 0.2 * total) return fail(text, more);
  return total >= 1e6 ? warn(text, more) : ok(text);
}

function cardinality(facts: Facts): Verdict {
  const labels = counts(facts, 'labelValueCountByLabelName').filter(({ name }) => name !== '__name__');
  const risky = labels.filter(({ name, value }) => value >= 10_000 || (PERSONAL.test(name) && value >= 1000));
  const text = list(
    labels.map(({ name, value }) => `${name} ${value}`),
    3,
  );
  if (!risky.length) return ok(`most values: ${text}`);
  const more = {
    cause: 'every value of such a label creates new series',
    fix: 'drop the label at its source or with a labeldrop rule; keep such values in traces and logs',
    object: workloadObject(facts, 'prometheus'),
  };
  const evidence = `labels with many values: ${risky.map(({ name, value }) => `${name} ${value}`).join(', ')}`;
  return risky.some(({ name, value }) => PERSONAL.test(name) && value >= 10_000)
    ? fail(evidence, more)
    : warn(evidence, more);
}

function rejected(facts: Facts): Verdict {
  const total = required(facts, APPENDED, 'its own samples');
  const bad = scalar(facts, REJECTED);
  if (bad === undefined) return skip('this Prometheus has no counters of rejected samples');
  if (bad === 0) return ok('no sample rejected as too old or out of order in 5 min');
  const share = bad / (bad + total);
  const text = `${rate(bad, 'samples')} rejected as too old or out of order, ${percent(share)}`;
  if (settledFor(facts) < 600) return ok(`${text}, while the stack started: not counted`);
  const more = {
    cause: 'two senders write the same series, clocks differ, or a queue resumed after more than 30 min',
    fix: 'compare clocks (PRE-17), and in Explore: rate(prometheus_target_scrapes_sample_out_of_order_total[5m])',
    object: workloadObject(facts, 'prometheus'),
  };
  return share > 0.01 ? fail(text, more) : warn(text, more);
}

export const dataChecks: Check[] = [
  prom('10', 'Prometheus stores samples', {
    about:
      'Measures the rate of samples appended over 5 minutes. Prometheus always scrapes at least ' +
      'itself. Failed: 0, which means that it cannot write, usually because its disk is full or ' +
      'corrupted.',
    sources: '000-SELF-02',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-12'],
    reads: [...CLOCK_READS, fact.promql(APPENDED)],
    run: (facts) => {
      const value = scalar(facts, APPENDED);
      const settled = settledFor(facts);
      if (value === undefined && settled < 120)
        return skip(`the stack started ${formatDuration(settled)} ago: no rates yet`);
      if (value) return ok(rate(value, 'samples'));
      return fail(value === 0 ? '0 samples appended in 5 min' : 'Prometheus has no series of its own metrics', {
        cause:
          value === 0 ? 'Prometheus cannot write, or has no targets' : 'the scrape job prometheus is missing or down',
        fix: `${facts.kubectlFor('prometheus')} logs ${resourceOf(facts, 'prometheus')} --tail=50`,
        object: workloadObject(facts, 'prometheus'),
      });
    },
  }),
  prom('15', 'The number of series is within limits', {
    about:
      'Series in memory determine how much memory Prometheus needs. Ok: under a million. Failed: ' +
      'from three million, or one metric with more than a fifth of all series once there are ' +
      '100,000. Warning: between those limits. The finding lists the largest metrics.',
    sources: '003-PROM-07, 003-TRB3-01, 003-TRB3-02',
    needs: ['prometheus'],
    dependsOn: SELF,
    reads: [TSDB_KEY],
    run: headSeries,
  }),
  prom('16', 'No label has unbounded cardinality', {
    about:
      'Labels with users, prompts, sessions or request IDs create a new series for every value. ' +
      'Warning: 1,000 values of such a label, or 10,000 of any label. Failed: 10,000 of such a ' +
      'label. Keep those values in traces and logs, where they create no series.',
    sources: '003-TRB3-03, 003-TRB3-04',
    needs: ['prometheus'],
    dependsOn: SELF,
    reads: [TSDB_KEY],
    run: cardinality,
  }),
  prom('17', 'No metric has a doubled prefix', {
    about:
      'Two settings that both add a prefix create names such as genops_genops_cost, which ' +
      'dashboards and rules do not find. Failed: such names exist. Remove the namespace setting of ' +
      'the exporter or the relabelling rule.',
    sources: '003-COL-07, 003-PROM-05',
    needs: ['prometheus'],
    dependsOn: SELF,
    reads: [fact.promql(DOUBLED)],
    run: (facts) => {
      const found = scalar(facts, DOUBLED);
      // count() of no series returns no sample: absent means zero here.
      if (!found) return ok('no metric name with a doubled prefix');
      return fail(`${plural(found, 'series')} with a doubled prefix`, {
        cause: 'the namespace setting of an exporter and a relabelling rule both add the prefix',
        fix:
          'in Explore: count by (__name__) ({__name__=~"(genops|gen_ai|otelcol)_(genops|gen_ai|otelcol)_.+"}), ' +
          'then remove one of the two',
      });
    },
  }),
  prom('22', 'No samples are rejected as too old', {
    about:
      'Prometheus accepts samples up to 30 minutes out of order. It rejects older ones, and those ' +
      'that contradict stored samples. Warning: up to 1 %. Failed: more. Usual causes are clocks ' +
      'that differ and two senders with the same labels.',
    sources: 'genai-obs',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PRE-17'],
    reads: [...CLOCK_READS, fact.promql(APPENDED), fact.promql(REJECTED)],
    run: rejected,
  }),
];

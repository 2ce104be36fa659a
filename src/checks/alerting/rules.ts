import { bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { textAt, textsAt } from '../../core/json.ts';
import { list, plural } from '../../core/text.ts';
import { boards } from '../grafana/dashboards.ts';
import { resourceOf } from '../lib/place.ts';
import { missingMetrics } from '../lib/query.ts';
import { CLOCK_READS, settledFor } from '../lib/time.ts';
import { loadedRules, RULES, rulesObject, WRITTEN, writtenRules } from '../prometheus/rules.ts';

const alrt = checksOf('ALRT');
const NAMES = '/api/v1/label/__name__/values';
const ALERTS = 'ALERTS{alertstate="firing"}';
const SELF = ['PROM-01', 'PROM-03'];

function expected(facts: Facts): Verdict {
  const { rules, broken } = writtenRules(facts);
  const wanted = [...new Set(rules.filter(({ alert }) => alert).map(({ name }) => name))];
  if (broken || !wanted.length)
    throw new FactUnavailable(`the rule files contain no alert${broken ? `: ${broken}` : ''}`);
  const known = new Set(
    loadedRules(facts)
      .filter(({ alert }) => alert)
      .map(({ name }) => name),
  );
  const missing = wanted.filter((name) => !known.has(name));
  if (missing.length)
    return fail(`${missing.length} of ${wanted.length} alerts are not in Prometheus: ${list(missing)}`, {
      cause: 'Prometheus has not loaded the rules since they changed, or refused them',
      fix: `${facts.kubectlFor('prometheus')} rollout restart ${resourceOf(facts, 'prometheus')}`,
      object: rulesObject(facts),
    });
  return ok(`${wanted.length} alerts are loaded`);
}

function firing(facts: Facts): Verdict {
  const rows = facts.promql(ALERTS).map(({ metric }) => ({
    name: metric['alertname'] ?? '?',
    severity: metric['severity'] ?? 'none',
    of: metric['pod'] ?? metric['instance'] ?? metric['model'] ?? metric['job'] ?? '',
  }));
  const text = (severity: string) => {
    const found = rows.filter((row) => row.severity === severity);
    return found.length
      ? `${severity}: ${list([...new Set(found.map(({ name, of }) => (of ? `${name} (${of})` : name)))])}`
      : '';
  };
  const known = ['critical', 'warning'].map(text).filter(Boolean);
  const info = rows.length - rows.filter(({ severity }) => severity === 'critical' || severity === 'warning').length;
  if (!known.length)
    return ok(
      info ? `no critical alert or warning is firing; ${plural(info, 'informational alert')}` : 'no alert is firing',
    );
  const first =
    rows.find(({ severity }) => severity === 'critical') ?? rows.find(({ severity }) => severity === 'warning');
  const more = {
    cause: `the condition of ${first?.name ?? 'the alert'} is true`,
    fix: `docs/runbooks.md#${(first?.name ?? '').toLowerCase()}`,
  };
  return text('critical') ? fail(known.join('; '), more) : warn(known.join('; '), more);
}

function matching(facts: Facts): Verdict {
  const known = new Set(textsAt(bodyOf(facts, 'prometheus', NAMES), 'data'));
  if (!known.size) throw new FactUnavailable('Prometheus lists no metric');
  const { rules } = writtenRules(facts);
  // A recorded metric appears only after its source metrics.
  const recorded = new Set(rules.filter(({ alert }) => !alert).map(({ name }) => name));
  const empty = rules.flatMap(({ name, expr }) =>
    missingMetrics(expr, known)
      .filter((metric) => !recorded.has(metric))
      .map((metric) => ({ name, metric })),
  );
  const names = [...new Set(empty.map(({ metric }) => metric))];
  if (!names.length) return ok(`${rules.length} rules read metrics that exist or need application traffic`);
  if (settledFor(facts) < 600) return skip(`the stack has just started; metrics not reported yet: ${list(names, 3)}`);
  return warn(
    `rules read metrics that do not exist: ${list(names, 3)} ` +
      `(${list([...new Set(empty.map(({ name }) => name))], 3)})`,
    {
      cause: 'the exporter is not installed, or the metric has another name',
      fix: 'check PROM-04 and PROM-19; in your own rules, correct the name',
      object: rulesObject(facts),
    },
  );
}

function links(facts: Facts): Verdict {
  const { rules } = writtenRules(facts);
  const alerts = rules.filter(({ alert }) => alert);
  const uids = new Set(boards(facts).boards.map(({ uid }) => uid));
  if (!alerts.length || !uids.size) throw new FactUnavailable('the ConfigMaps contain no alerts or no dashboards');
  const dangling = alerts.flatMap(({ name, annotations }) => {
    const uid = textAt(annotations, 'dashboard_uid');
    return uid && !uids.has(uid) ? [`${name} → dashboard ${uid}`] : [];
  });
  const without = alerts
    .filter(({ annotations }) => !textAt(annotations, 'runbook') && !textAt(annotations, 'runbook_url'))
    .map(({ name }) => name);
  if (dangling.length || without.length)
    return warn(
      [
        dangling.length ? `dashboards that do not exist: ${list(dangling)}` : '',
        without.length ? `no runbook: ${list(without)}` : '',
      ]
        .filter(Boolean)
        .join('; '),
      {
        cause: 'the annotations of the alert are missing or wrong',
        fix: 'genai-obs install; in your own alerts, correct the annotations',
        object: rulesObject(facts),
      },
    );
  return ok(`${alerts.length} alerts link to a runbook and to dashboards that exist`);
}

export const alertRuleChecks: Check[] = [
  alrt('05', 'All alerts are loaded', {
    about:
      'Checks that Prometheus has loaded every alert of the ConfigMap prometheus-rules, by name. Failed: one is ' +
      'missing, because Prometheus has not loaded the file since it changed. Restart Prometheus.',
    sources: '001-CHK-10, 003-AR-00',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-14', 'PROM-13'],
    reads: [WRITTEN, RULES],
    run: expected,
  }),
  alrt('06', 'No alert is firing', {
    about:
      'Lists the alerts that are firing now and their subject. Warning: alerts of severity warning. Failed: ' +
      'critical alerts. Ok: informational alerts only. The fix is the runbook of the alert. If another finding is ' +
      'the cause, the report lists it first.',
    sources: '004-MNT-01, 004-MNT-02',
    needs: ['prometheus'],
    dependsOn: [
      ...SELF,
      'COL-01',
      'COL-02',
      'COL-03',
      'COL-24',
      'LOKI-01',
      'TEMPO-01',
      'GRAF-01',
      'ALRT-01',
      'PROM-04',
      'COL-16',
      'COL-17',
      'PROM-14',
      'PROM-13',
    ],
    reads: [fact.promql(ALERTS)],
    run: firing,
  }),
  alrt('10', 'Rules read metrics that exist', {
    about:
      'Looks up the metrics of every rule of the ConfigMap in Prometheus by name. Warning: a metric does not ' +
      'exist, and its rule never fires. Metrics that only applications or rare events produce are not required. ' +
      'Correct the name, or check the source.',
    sources: 'genai-obs',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-13', 'PROM-04', 'PROM-19', 'COL-12', 'COL-14'],
    reads: [fact.http('prometheus', NAMES), WRITTEN, ...CLOCK_READS],
    run: matching,
  }),
  alrt('11', 'Alerts link to runbooks and dashboards', {
    about:
      'Checks that every alert has a runbook, and that the dashboards that alerts name are installed. Warning: ' +
      'one is missing. Run `genai-obs install`, or correct the annotations of your own alerts.',
    sources: '003-RB-01',
    needs: ['prometheus', 'grafana'],
    dependsOn: ['PROM-13', 'GRAF-13'],
    reads: [fact.objects('ConfigMap')],
    run: links,
  }),
];

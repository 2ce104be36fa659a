import { bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { textAt, textsAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
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
  if (broken || !wanted.length) throw new FactUnavailable(`the rules hold no alert${broken ? `: ${broken}` : ''}`);
  const known = new Set(
    loadedRules(facts)
      .filter(({ alert }) => alert)
      .map(({ name }) => name),
  );
  const missing = wanted.filter((name) => !known.has(name));
  if (missing.length)
    return fail(`${missing.length} of ${wanted.length} alerts are not in Prometheus: ${list(missing)}`, {
      cause: 'Prometheus has not read the rules since they changed, or refused them',
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
    return ok(info ? `no critical alert and no warning fires; ${plural(info, 'information')}` : 'no alert fires');
  const first =
    rows.find(({ severity }) => severity === 'critical') ?? rows.find(({ severity }) => severity === 'warning');
  const more = {
    cause: `the condition of ${first?.name ?? 'the alert'} holds`,
    fix: `docs/runbooks.md#${(first?.name ?? '').toLowerCase()}`,
  };
  return text('critical') ? fail(known.join('; '), more) : warn(known.join('; '), more);
}

function matching(facts: Facts): Verdict {
  const known = new Set(textsAt(bodyOf(facts, 'prometheus', NAMES), 'data'));
  if (!known.size) throw new FactUnavailable('Prometheus names no metric');
  const { rules } = writtenRules(facts);
  // What rules record themselves appears only once its sources do.
  const made = new Set(rules.filter(({ alert }) => !alert).map(({ name }) => name));
  const empty = rules.flatMap(({ name, expr }) =>
    missingMetrics(expr, known)
      .filter((metric) => !made.has(metric))
      .map((metric) => ({ name, metric })),
  );
  const names = [...new Set(empty.map(({ metric }) => metric))];
  if (!names.length) return ok(`${rules.length} rules read metrics that exist or wait for application traffic`);
  if (settledFor(facts) < 600) return skip(`the stack has just started: not yet ${list(names, 3)}`);
  return warn(
    `metrics that rules read and that do not exist: ${list(names, 3)} (${list([...new Set(empty.map(({ name }) => name))], 3)})`,
    {
      cause: 'the exporter is absent, or the metric has another name',
      fix: 'compare with PROM-04 and PROM-19; rules of your own: correct the name',
      object: rulesObject(facts),
    },
  );
}

function links(facts: Facts): Verdict {
  const { rules } = writtenRules(facts);
  const alerts = rules.filter(({ alert }) => alert);
  const uids = new Set(boards(facts).boards.map(({ uid }) => uid));
  if (!alerts.length || !uids.size) throw new FactUnavailable('there are no alerts or no dashboards');
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
        cause: 'the alert leads nowhere',
        fix: 'genai-obs install; alerts of your own: correct the annotations',
        object: rulesObject(facts),
      },
    );
  return ok(`${alerts.length} alerts name a runbook, and dashboards that exist`);
}

export const alertRuleChecks: Check[] = [
  alrt('05', 'All alerts are loaded', {
    about:
      'Every alert in the ConfigMap prometheus-rules must be among the rules that Prometheus has loaded, by name. A missing one means that Prometheus has not read the file since it changed.',
    sources: '001-CHK-10, 003-AR-00',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-14', 'PROM-13'],
    reads: [WRITTEN, RULES],
    run: expected,
  }),
  alrt('06', 'No alert fires', {
    about:
      "Alerts that fire now, with the thing they are about: critical ones fail, warnings warn, information is only told. Alerts of the stack itself often have the cause of another finding, which is then named first; the fix is the alert's runbook.",
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
      'Compares the metric names in every rule of the ConfigMap with those that Prometheus knows. A rule on a name that does not exist never fires and says nothing. Metrics that only applications or rare events bring are left out.',
    sources: 'genai-obs',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-13', 'PROM-04', 'PROM-19', 'COL-12', 'COL-14'],
    reads: [fact.http('prometheus', NAMES), WRITTEN, ...CLOCK_READS],
    run: matching,
  }),
  alrt('11', 'Links of alerts lead somewhere', {
    about:
      'Whoever gets an alert needs its runbook and the dashboard that shows it. Every alert must name a runbook, and the dashboards that alerts name must be among those that are installed.',
    sources: '003-RB-01',
    needs: ['prometheus', 'grafana'],
    dependsOn: ['PROM-13', 'GRAF-13'],
    reads: [fact.objects('ConfigMap')],
    run: links,
  }),
];

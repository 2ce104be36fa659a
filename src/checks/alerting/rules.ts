import { type Check, CouldNotLook, fail, type Look, ok, skip, type Verdict, warn } from '../../doctor/types.ts';
import { boards } from '../grafana/dashboards.ts';
import { body, checksOf, httpOf, plural, some } from '../helpers/define.ts';
import { str, strings } from '../helpers/json.ts';
import { resourceOf } from '../helpers/place.ts';
import { missingMetrics } from '../helpers/promql.ts';
import { CLOCK_READS, settledFor } from '../helpers/time.ts';
import { loadedRules, RULES, rulesObject, WRITTEN, writtenRules } from '../prometheus/rules.ts';

const alrt = checksOf('ALRT');
const NAMES = '/api/v1/label/__name__/values';
const ALERTS = 'ALERTS{alertstate="firing"}';
const SELF = ['PROM-01', 'PROM-03'];

function expected(look: Look): Verdict {
  const { rules, broken } = writtenRules(look);
  const wanted = [...new Set(rules.filter(({ alert }) => alert).map(({ name }) => name))];
  if (broken || !wanted.length) throw new CouldNotLook(`the rules hold no alert${broken ? `: ${broken}` : ''}`);
  const known = new Set(
    loadedRules(look)
      .filter(({ alert }) => alert)
      .map(({ name }) => name),
  );
  const missing = wanted.filter((name) => !known.has(name));
  if (missing.length)
    return fail(`${missing.length} of ${wanted.length} alerts are not in Prometheus: ${some(missing)}`, {
      cause: 'Prometheus has not read the rules since they changed, or refused them',
      fix: `${look.kubectlFor('prometheus')} rollout restart ${resourceOf(look, 'prometheus')}`,
      object: rulesObject(look),
    });
  return ok(`${wanted.length} alerts are loaded`);
}

function firing(look: Look): Verdict {
  const rows = look.promql(ALERTS).map(({ metric }) => ({
    name: metric['alertname'] ?? '?',
    severity: metric['severity'] ?? 'none',
    of: metric['pod'] ?? metric['instance'] ?? metric['model'] ?? metric['job'] ?? '',
  }));
  const text = (severity: string) => {
    const found = rows.filter((row) => row.severity === severity);
    return found.length
      ? `${severity}: ${some([...new Set(found.map(({ name, of }) => (of ? `${name} (${of})` : name)))])}`
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

function matching(look: Look): Verdict {
  const known = new Set(strings(body(look, 'prometheus', NAMES), 'data'));
  if (!known.size) throw new CouldNotLook('Prometheus names no metric');
  const { rules } = writtenRules(look);
  // What rules record themselves appears only once its sources do.
  const made = new Set(rules.filter(({ alert }) => !alert).map(({ name }) => name));
  const empty = rules.flatMap(({ name, expr }) =>
    missingMetrics(expr, known)
      .filter((metric) => !made.has(metric))
      .map((metric) => ({ name, metric })),
  );
  const names = [...new Set(empty.map(({ metric }) => metric))];
  if (!names.length) return ok(`${rules.length} rules read metrics that exist or wait for application traffic`);
  if (settledFor(look) < 600) return skip(`the stack has just started: not yet ${some(names, 3)}`);
  return warn(
    `metrics that rules read and that do not exist: ${some(names, 3)} (${some([...new Set(empty.map(({ name }) => name))], 3)})`,
    {
      cause: 'the exporter is absent, or the metric has another name',
      fix: 'compare with PROM-04 and PROM-19; rules of your own: correct the name',
      object: rulesObject(look),
    },
  );
}

function links(look: Look): Verdict {
  const { rules } = writtenRules(look);
  const alerts = rules.filter(({ alert }) => alert);
  const uids = new Set(boards(look).boards.map(({ uid }) => uid));
  if (!alerts.length || !uids.size) throw new CouldNotLook('there are no alerts or no dashboards');
  const dangling = alerts.flatMap(({ name, annotations }) => {
    const uid = str(annotations, 'dashboard_uid');
    return uid && !uids.has(uid) ? [`${name} → dashboard ${uid}`] : [];
  });
  const without = alerts
    .filter(({ annotations }) => !str(annotations, 'runbook') && !str(annotations, 'runbook_url'))
    .map(({ name }) => name);
  if (dangling.length || without.length)
    return warn(
      [
        dangling.length ? `dashboards that do not exist: ${some(dangling)}` : '',
        without.length ? `no runbook: ${some(without)}` : '',
      ]
        .filter(Boolean)
        .join('; '),
      {
        cause: 'the alert leads nowhere',
        fix: 'genai-obs install; alerts of your own: correct the annotations',
        object: rulesObject(look),
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
    reads: [`promql:${ALERTS}`],
    run: firing,
  }),
  alrt('10', 'Rules read metrics that exist', {
    about:
      'Compares the metric names in every rule of the ConfigMap with those that Prometheus knows. A rule on a name that does not exist never fires and says nothing. Metrics that only applications or rare events bring are left out.',
    sources: 'derived (requirements, appendix 1)',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-13', 'PROM-04', 'PROM-19', 'COL-12', 'COL-14'],
    reads: [httpOf('prometheus', NAMES), WRITTEN, ...CLOCK_READS],
    run: matching,
  }),
  alrt('11', 'Links of alerts lead somewhere', {
    about:
      'Whoever gets an alert needs its runbook and the dashboard that shows it. Every alert must name a runbook, and the dashboards that alerts name must be among those that are installed.',
    sources: '003-RB-01',
    needs: ['prometheus', 'grafana'],
    dependsOn: ['PROM-13', 'GRAF-13'],
    reads: ['k8s:ConfigMap'],
    run: links,
  }),
];

import { notHere, type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { workloadOf } from '../lib/objects.ts';
import { at, listAt, textAt, numberAt } from '../../core/json.ts';
import { plural } from '../../core/text.ts';
import { workloadObject, resourceOf } from '../lib/place.ts';
import { bodyText, grafanaBodyOf, serviceReads, serviceVerdict } from '../lib/service.ts';
import { CLAIM_READS, claimVerdict, hasVolume } from '../lib/storage.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const graf = checksOf('GRAF');

function persistent(facts: Facts): Verdict {
  const workload = workloadOf(facts, 'grafana');
  const replicas = numberAt(workload, 'spec', 'replicas') ?? 1;
  const database = textAt(facts.running('grafana'), 'database', 'type') ?? 'sqlite3';
  if (database !== 'sqlite3') return ok(`database ${database}, outside the pod`);
  if (replicas > 1)
    return fail(`${replicas} replicas, each with its own SQLite database`, {
      cause: 'sessions, users and alerts differ between replicas',
      fix:
        `${facts.kubectlFor('grafana')} scale ${resourceOf(facts, 'grafana')} --replicas=1   ` +
        '# more replicas need a shared database',
      object: workloadObject(facts, 'grafana'),
    });
  if (!hasVolume(facts, 'grafana'))
    return warn(
      'the database of Grafana is in an emptyDir: users, preferences and manually created dashboards are lost ' +
        'when the pod is deleted',
      {
        cause: 'storage.enabled is false, or the volume was changed',
        fix: 'set storage.enabled to true in the profile, then: genai-obs install',
        object: workloadObject(facts, 'grafana'),
      },
    );
  const verdict = claimVerdict(facts, 'grafana');
  return verdict.status === 'ok' ? ok(`SQLite on ${verdict.evidence}`) : verdict;
}

const POLICIES = '/api/v1/provisioning/policies';

const POINTS = '/api/v1/provisioning/contact-points';

const RULES = '/api/v1/provisioning/alert-rules';

function contactPoints(facts: Facts): Verdict {
  const rules = grafanaBodyOf(facts, RULES);
  const policy = grafanaBodyOf(facts, POLICIES);
  const points = listAt(grafanaBodyOf(facts, POINTS));
  const count = Array.isArray(rules) ? rules.length : 0;
  const receiver = textAt(policy, 'receiver') ?? '?';
  if (!count) return ok(`no rules in Grafana; Prometheus and Alertmanager send alerts; default receiver ${receiver}`);
  const placeholder = points
    .filter((point) => JSON.stringify(at(point, 'settings') ?? '').includes('example@email.com'))
    .map((point) => textAt(point, 'name') ?? '?');
  const used = JSON.stringify(policy);
  const dead = placeholder.filter((name) => used.includes(name) || receiver === 'grafana-default-email');
  if (dead.length)
    return warn(`${plural(count, 'rule')} in Grafana, and only the default e-mail receiver`, {
      cause: 'no contact point is configured, so nobody gets notified',
      fix: 'genai-obs open   # then Alerting, Contact points; or set grafana.contactPoint to use Alertmanager',
      object: workloadObject(facts, 'grafana'),
    });
  return ok(
    `${plural(count, 'rule')} in Grafana, ${plural(points.length, 'contact point')}, default receiver ${receiver}`,
  );
}

export const serverChecks: Check[] = [
  graf('01', 'Grafana is ready', {
    about:
      'Checks that the pod of Grafana is ready. Failed: it is not; telemetry is still stored, but not shown. The ' +
      'finding names the cause: an unbound claim, an image, memory, a missing Secret, or the last log line.',
    sources: 'genai-obs',
    needs: ['grafana'],
    reads: workloadReads('grafana'),
    run: (facts) => workloadVerdict(facts, 'grafana'),
  }),
  graf('02', 'The Service of Grafana is as configured', {
    about:
      'Checks the Service grafana, port 80, which port-forwards, Ingresses and the doctor use. Failed: it does ' +
      'not exist, lacks the port or selects no pod. `genai-obs install` restores it.',
    sources: '000-OPEN-04, 004-TRB-08',
    needs: ['grafana'],
    reads: serviceReads('grafana'),
    run: (facts) => serviceVerdict(facts, 'grafana'),
  }),
  graf('04', 'The database of Grafana works', {
    about:
      'Requests /api/health through the API server; Grafana reports `database ok` when it can read and write its ' +
      'data. Failed: another response, usually because the volume is full or read-only, or the database is ' +
      'damaged. The log of Grafana contains the reason.',
    sources: 'genai-obs',
    needs: ['grafana'],
    dependsOn: ['GRAF-01', 'GRAF-02'],
    reads: [fact.http('grafana', '/api/health')],
    run: (facts) => {
      const { status, body } = facts.http('grafana', '/api/health');
      const database = textAt(body, 'database');
      if (status === 200 && database === 'ok') return ok(`database ok, version ${textAt(body, 'version') ?? '?'}`);
      return fail(`/api/health answers ${status}${database ? `, database ${database}` : `: ${bodyText(body, 120)}`}`, {
        cause: database ? 'the volume is full or read-only, or the database is damaged' : 'no pod of Grafana responds',
        fix: `${facts.kubectlFor('grafana')} logs ${resourceOf(facts, 'grafana')} --tail=50`,
        object: workloadObject(facts, 'grafana'),
      });
    },
  }),
  graf('15', 'The gateway proxy responds', {
    about:
      'Applies only to profiles with nginx in front of Grafana and a model gateway under /gateway-proxy/. This ' +
      'profile has neither.',
    sources: '001-GRAF-01, 001-GRAF-02',
    ...notHere('no nginx and no /gateway-proxy/ in this profile'),
  }),
  graf('16', 'Alerts of Grafana have a contact point', {
    about:
      'Checks that rules stored in Grafana have a contact point that is not the built-in example address. ' +
      'Warning: they have only that one; add a contact point. Ok without such rules, because Prometheus and ' +
      'Alertmanager handle the alerts of this stack.',
    sources: '004-P4-11',
    needs: ['grafana'],
    dependsOn: ['GRAF-01', 'GRAF-04', 'GRAF-05'],
    reads: [POLICIES, POINTS, RULES].map(fact.grafana),
    run: contactPoints,
  }),
  graf('17', 'The database of Grafana is persistent', {
    about:
      'Checks that users, preferences and manually created dashboards are on the claim grafana-data, bound and ' +
      'with free space, or in an external database. Warning: they are in an emptyDir. Failed: several replicas ' +
      'use SQLite, so every replica has its own data.',
    sources: '001-GRAF-10',
    needs: ['grafana'],
    dependsOn: ['GRAF-01'],
    reads: [...CLAIM_READS, fact.workloads('grafana'), fact.running('grafana')],
    run: persistent,
  }),
];

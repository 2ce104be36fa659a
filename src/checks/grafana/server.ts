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
  if (database !== 'sqlite3') return ok(`database ${database}, outside of the pod`);
  if (replicas > 1)
    return fail(`${replicas} replicas, each with its own sqlite database`, {
      cause: 'sessions, users and alerts differ from replica to replica',
      fix: `${facts.kubectlFor('grafana')} scale ${resourceOf(facts, 'grafana')} --replicas=1   # more need a shared database`,
      object: workloadObject(facts, 'grafana'),
    });
  if (!hasVolume(facts, 'grafana'))
    return warn("Grafana's database lies in an emptyDir: users, preferences and own dashboards are gone with the pod", {
      cause: 'storage.enabled is false, or the volume was changed',
      fix: 'set storage.enabled to true in the profile, then: genai-obs install',
      object: workloadObject(facts, 'grafana'),
    });
  const verdict = claimVerdict(facts, 'grafana');
  return verdict.status === 'ok' ? ok(`sqlite on ${verdict.evidence}`) : verdict;
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
  if (!count)
    return ok(`no rules in Grafana itself: Prometheus and Alertmanager alert; policy tree ends in ${receiver}`);
  const placeholder = points
    .filter((point) => JSON.stringify(at(point, 'settings') ?? '').includes('example@email.com'))
    .map((point) => textAt(point, 'name') ?? '?');
  const used = JSON.stringify(policy);
  const dead = placeholder.filter((name) => used.includes(name) || receiver === 'grafana-default-email');
  if (dead.length)
    return warn(`${plural(count, 'rule')} in Grafana, and only the default e-mail receiver`, {
      cause: 'no contact point was set up: nobody is told',
      fix: 'genai-obs open   # then Alerting, Contact points; with grafana.contactPoint Alertmanager is one of them',
      object: workloadObject(facts, 'grafana'),
    });
  return ok(
    `${plural(count, 'rule')} in Grafana, ${plural(points.length, 'contact point')}, policy tree ends in ${receiver}`,
  );
}

export const serverChecks: Check[] = [
  graf('01', 'Grafana is ready', {
    about:
      'The workload of Grafana must have its pod ready. Telemetry is stored without it, nobody sees it. The finding names the cause: an unbound claim, an image, memory, a missing Secret or the line with which Grafana ended.',
    sources: 'genai-obs',
    needs: ['grafana'],
    reads: workloadReads('grafana'),
    run: (facts) => workloadVerdict(facts, 'grafana'),
  }),
  graf('02', 'The Service grafana is as planned', {
    about:
      'Port forwards, ingresses and the doctor itself reach Grafana through the Service grafana, port 80. It must exist and lead to the pod. `genai-obs install` puts it back.',
    sources: '000-OPEN-04, 004-TRB-08',
    needs: ['grafana'],
    reads: serviceReads('grafana'),
    run: (facts) => serviceVerdict(facts, 'grafana'),
  }),
  graf('04', "Grafana's database works", {
    about:
      'Asks /api/health through the API server: Grafana answers "database ok" when it can read and write its own data. Another answer comes with a full or read-only volume, or a damaged database; the log says which.',
    sources: 'genai-obs',
    needs: ['grafana'],
    dependsOn: ['GRAF-01', 'GRAF-02'],
    reads: [fact.http('grafana', '/api/health')],
    run: (facts) => {
      const { status, body } = facts.http('grafana', '/api/health');
      const database = textAt(body, 'database');
      if (status === 200 && database === 'ok') return ok(`database ok, version ${textAt(body, 'version') ?? '?'}`);
      return fail(`/api/health answers ${status}${database ? `, database ${database}` : `: ${bodyText(body, 120)}`}`, {
        cause: database
          ? 'the database cannot be used: volume full, read-only or damaged'
          : 'no pod of Grafana answers',
        fix: `${facts.kubectlFor('grafana')} logs ${resourceOf(facts, 'grafana')} --tail=50`,
        object: workloadObject(facts, 'grafana'),
      });
    },
  }),
  graf('15', 'The gateway proxy answers', {
    about:
      'The LLM platform profile puts nginx before Grafana and a model gateway under /gateway-proxy/. This profile has neither.',
    sources: '001-GRAF-01, 001-GRAF-02',
    ...notHere('no nginx and no /gateway-proxy/ in this profile'),
  }),
  graf('16', 'Alerts of Grafana reach somebody', {
    about:
      'Rules that are kept in Grafana itself need a contact point that is not the built-in example address. This stack alerts by Prometheus and Alertmanager, so that without rules in Grafana nothing is needed here.',
    sources: '004-P4-11',
    needs: ['grafana'],
    dependsOn: ['GRAF-01', 'GRAF-04', 'GRAF-05'],
    reads: [POLICIES, POINTS, RULES].map(fact.grafana),
    run: contactPoints,
  }),
  graf('17', "Grafana's database outlives the pod", {
    about:
      "Users, preferences and dashboards made by hand lie in Grafana's database: on the claim grafana-data, bound and with room, or in an external database. More than one replica on sqlite fails, because every replica then has its own truth.",
    sources: '001-GRAF-10',
    needs: ['grafana'],
    dependsOn: ['GRAF-01'],
    reads: [...CLAIM_READS, fact.workloads('grafana'), fact.running('grafana')],
    run: persistent,
  }),
];

import { parse } from 'yaml';
import {
  type Check,
  CouldNotLook,
  fail,
  type FactKey,
  type Look,
  ok,
  skip,
  type Verdict,
  warn,
} from '../../doctor/types.ts';
import { body, checksOf, httpOf, notHere, percent, plural, some, tryLook } from '../helpers/define.ts';
import { arr, isRec, leaves, num, rec, str, strings } from '../helpers/json.ts';
import { configObject, operatorOf, resourceOf, serviceObject } from '../helpers/place.ts';
import { podsOf, workloadKey, workloadOf } from '../helpers/pods.ts';
import { WRITTEN, writtenRules } from '../prometheus/rules.ts';
import { rate } from '../helpers/promql.ts';
import { lastError } from '../helpers/trouble.ts';
import { workloadReads, workloadVerdict } from '../helpers/workload.ts';
import { fits, integrations, type Labels, matchersOf, receiversOf, usedReceivers } from './routes.ts';

const alrt = checksOf('ALRT');
const STATUS = '/api/v2/status';
const READY = '/-/ready';
const UP = ['ALRT-01'];
const CONFIG: FactKey = 'config:alertmanager';
const MAP = (look: Look) => configObject(look, 'alertmanager');
/** What a pod of it said last. */
const lastWord = (look: Look) =>
  podsOf(look, 'alertmanager')
    .map(({ metadata }) => lastError(look, 'alertmanager', metadata.name))
    .find(Boolean) ?? '';
const FAILED = 'sum by (integration) (rate(alertmanager_notifications_failed_total[15m]))';
const TOLD = 'sum by (integration) (rate(alertmanager_notifications_total[15m]))';

function ready(look: Look): Verdict {
  const workload = workloadVerdict(look, 'alertmanager');
  if (workload.status !== 'ok') return workload;
  const { status } = look.http('alertmanager', READY);
  if (status === 200) return ok(`${workload.evidence}, ${READY} 200`);
  return fail(`${READY} answers ${status}`, {
    cause: 'no pod answers behind the Service',
    fix: `${look.kubectlFor('alertmanager')} logs ${resourceOf(look, 'alertmanager')} --tail=50`,
    object: serviceObject(look, 'alertmanager'),
  });
}

/** Receivers, routes and inhibitions without the defaults that Alertmanager adds and the secrets that it hides. */
function shape(config: unknown): string {
  const routes = (route: unknown): unknown => ({
    receiver: str(route, 'receiver'),
    matchers: strings(route, 'matchers').map((text) => text.replace(/\s/g, '')),
    routes: arr(route, 'routes').map(routes),
  });
  const receivers = arr(config, 'receivers').map((one) => [str(one, 'name'), integrations(one)]);
  const inhibitions = arr(config, 'inhibit_rules').map((rule) =>
    [strings(rule, 'source_matchers'), strings(rule, 'target_matchers'), strings(rule, 'equal')].map((list) =>
      list.map((text) => text.replace(/\s/g, '')),
    ),
  );
  return JSON.stringify({ routes: routes(rec(config, 'route')), receivers, inhibitions });
}

function loaded(look: Look): Verdict {
  const text = str(body(look, 'alertmanager', STATUS), 'config', 'original');
  if (text === undefined) throw new CouldNotLook('Alertmanager does not show its configuration');
  const running: unknown = parse(text, { logLevel: 'error' });
  const ours = look.fact<unknown>(CONFIG);
  const names = arr(ours, 'receivers').map((one) => str(one, 'name') ?? '?');
  const unknown = usedReceivers(rec(ours, 'route')).filter((name) => !names.includes(name));
  if (unknown.length)
    return fail(`routes name receivers that do not exist: ${unknown.join(', ')}`, {
      cause: 'Alertmanager refuses such a configuration at its next start',
      fix: 'genai-obs install',
      object: MAP(look),
    });
  if (shape(running) !== shape(ours)) {
    const said = lastWord(look);
    return fail('Alertmanager runs with another configuration than its ConfigMap holds', {
      cause: /config|load/i.test(said) ? said.slice(0, 200) : 'it has not read it since it changed, or refused it',
      fix: `genai-obs install; then: ${look.kubectlFor('alertmanager')} rollout restart ${resourceOf(look, 'alertmanager')}`,
      object: MAP(look),
    });
  }
  return ok(
    `${plural(names.length, 'receiver')}, ${plural(arr(ours, 'inhibit_rules').length, 'inhibition')}, as in the ConfigMap`,
  );
}

const PLACEHOLDER = /YOUR[_-]|example\.(com|org|net)|CHANGE[_-]?ME|REPLACE[_-]|<[A-Z_ -]+>|xxxx/i;

function placeholders(look: Look): Verdict {
  const config = look.fact(CONFIG);
  const bad = leaves({ global: rec(config, 'global'), receivers: arr(config, 'receivers') }).filter(({ text }) =>
    PLACEHOLDER.test(text),
  );
  const production = look.config.global.environment.startsWith('prod');
  if (bad.length) {
    const more = {
      cause: 'a value of the example was never replaced: nobody is told',
      fix: 'enter the real receivers in the profile, then: genai-obs install',
      object: MAP(look),
    };
    const evidence = `placeholders in ${some(bad.map(({ path }) => path))}`;
    return production ? fail(evidence, more) : warn(evidence, more);
  }
  const { namespace } = look.place('alertmanager');
  const workload = workloadOf(look, 'alertmanager');
  const sources = arr(workload, 'spec', 'template', 'spec', 'volumes')
    .flatMap((volume) => arr(volume, 'projected', 'sources'))
    .map((source) => rec(source, 'secret'));
  for (const { path, text } of leaves(arr(config, 'receivers')).filter((leaf) => leaf.path.endsWith('_file'))) {
    const item = sources
      .flatMap((source) =>
        arr(source, 'items').map((one) => ({
          secret: str(source, 'name') ?? '',
          key: str(one, 'key') ?? '',
          path: str(one, 'path') ?? '',
        })),
      )
      .find((one) => text.endsWith(`/${one.path}`));
    if (!item || !num(look.find('Secret', item.secret, namespace), 'keys', item.key)) {
      return fail(`${path} names ${text}, which ${item ? `Secret ${item.secret} does not hold` : 'is not mounted'}`, {
        cause: 'the Secret of the receiver is missing or has another key',
        fix: 'genai-obs install   # asks for the secret',
        object: item ? `Secret ${namespace}/${item.secret}` : MAP(look),
      });
    }
  }
  const used = arr(config, 'receivers').flatMap(integrations);
  return ok(
    used.length
      ? `${plural(used.length, 'integration')} (${some(used)}) without placeholders`
      : 'no integration: alerts are seen in Alertmanager and Grafana, nobody is called',
  );
}

/** Label sets of the alerts that can fire. */
function labelSets(look: Look): Labels[] {
  const { rules } = writtenRules(look);
  return rules
    .filter(({ alert }) => alert)
    .map(({ name, labels }) => ({
      ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)])),
      alertname: name,
    }));
}

/** Alerts that go the same way are told once, by what decides it. */
function kindsOf(look: Look): { name: string; labels: Labels }[] {
  const named = labelSets(look).map((labels) => ({
    name: `${labels['category'] ?? '-'}/${labels['severity'] ?? '-'}`,
    labels,
  }));
  return [...new Map(named.map((one) => [one.name, one])).values()];
}

function routes(look: Look): Verdict {
  const config = look.fact(CONFIG);
  const telling = arr(config, 'receivers').filter((one) => integrations(one).length);
  if (!telling.length)
    return skip('no receiver has an integration: every alert stays in Alertmanager, whatever its route');
  const root = rec(config, 'route');
  const ways = kindsOf(look).map(({ name, labels }) => ({ name, ...receiversOf(root, labels) }));
  const silent = ways.filter(({ receivers }) =>
    receivers.every((name) => !integrations(arr(config, 'receivers').find((one) => str(one, 'name') === name)).length),
  );
  if (!ways.length) throw new CouldNotLook('the rules hold no alert');
  if (silent.length)
    return warn(
      `alerts that reach nobody: ${some(silent.map(({ name, receivers }) => `${name} → ${receivers.join(', ')}`))}`,
      {
        cause: 'they fall to a default without an integration',
        fix: 'add a route for them to the profile, then: genai-obs install',
        object: MAP(look),
      },
    );
  const byDefault = ways.filter((way) => way.byDefault && way.name !== 'observability/info');
  if (byDefault.length && arr(root, 'routes').length)
    return warn(`alerts without a route of their own: ${some(byDefault.map(({ name }) => name))}`, {
      cause: 'they fall to the default receiver',
      fix: 'add a route for them to the profile, then: genai-obs install',
      object: MAP(look),
    });
  return ok(
    `${plural(ways.length, 'kind')} of alerts reach ${some([...new Set(ways.flatMap(({ receivers }) => receivers))])}`,
  );
}

function inhibitions(look: Look): Verdict {
  const rules = arr(look.fact(CONFIG), 'inhibit_rules');
  if (!rules.length) return skip('no inhibition is configured');
  const sets = labelSets(look);
  if (!sets.length) throw new CouldNotLook('the rules hold no alert');
  const dead = rules.flatMap((rule, index) => {
    const source = matchersOf(
      strings(rule, 'source_matchers'),
      isRec(rule) ? rule['source_match'] : {},
      isRec(rule) ? rule['source_match_re'] : {},
    );
    const target = matchersOf(
      strings(rule, 'target_matchers'),
      isRec(rule) ? rule['target_match'] : {},
      isRec(rule) ? rule['target_match_re'] : {},
    );
    const equal = strings(rule, 'equal');
    // A label that both lack is equal, too.
    const pair = sets.some(
      (one) =>
        fits(source, one) &&
        sets.some(
          (other) =>
            other !== one && fits(target, other) && equal.every((label) => (one[label] ?? '') === (other[label] ?? '')),
        ),
    );
    return pair
      ? []
      : [
          `number ${index + 1} (${strings(rule, 'source_matchers').join(', ')} → ${strings(rule, 'target_matchers').join(', ')})`,
        ];
  });
  if (dead.length)
    return warn(`inhibitions that can never match: ${some(dead)}`, {
      cause: 'no pair of alerts has the same values of the labels in equal',
      fix: 'change equal or the labels of the rules, then: genai-obs install',
      object: MAP(look),
    });
  return ok(`${plural(rules.length, 'inhibition')} can match`);
}

function notifications(look: Look): Verdict {
  const told = look.promql(TOLD);
  if (!told.length) throw new CouldNotLook('Prometheus has no series of Alertmanager: see PROM-04');
  const failed = look.promql(FAILED).filter(({ value }) => value > 0);
  const total = told.reduce((sum, { value }) => sum + value, 0);
  if (!failed.length)
    return ok(
      total ? `${rate(total, 'notifications')}, none failed in 15 min` : 'no notification sent in 15 min, none failed',
    );
  const bad = failed.reduce((sum, { value }) => sum + value, 0);
  const share = bad / Math.max(bad, total);
  const text = `${percent(share)} of notifications failed in 15 min: ${some(failed.map(({ metric }) => metric['integration'] ?? '?'))}`;
  const said = tryLook(() => lastWord(look), '');
  const more = {
    cause: said ? said.slice(0, 200) : 'address, key or network of the receiver',
    fix: `${look.kubectlFor('alertmanager')} logs ${resourceOf(look, 'alertmanager')} --since=15m | grep -i notify`,
    object: MAP(look),
  };
  return share > 0.01 ? fail(text, more) : warn(text, more);
}

export const alertmanagerChecks: Check[] = [
  alrt('01', 'Alertmanager is ready', {
    about:
      'The workload of Alertmanager must have its pod ready and answer /-/ready. Without it alerts fire in Prometheus and nobody is told. The finding names the cause: claim, image, memory, or the line of its configuration that it refuses.',
    sources: '004-P4-12',
    needs: ['alertmanager'],
    reads: [...workloadReads('alertmanager'), httpOf('alertmanager', READY)],
    run: ready,
  }),
  alrt('02', 'Alertmanager runs with our configuration', {
    about:
      'Routes, receivers and inhibitions that Alertmanager has loaded, against its ConfigMap. After a refused reload it goes on with the old ones, and after its next start it does not come up. A route to a receiver that does not exist is such a reason.',
    sources: '003-AM-01, 003-AM-18',
    needs: ['alertmanager'],
    dependsOn: UP,
    skipIf: (config) => operatorOf(config, 'alertmanager'),
    reads: [httpOf('alertmanager', STATUS), CONFIG, 'logs:alertmanager', 'k8s:Pod', workloadKey('alertmanager')],
    run: loaded,
  }),
  alrt('03', 'Receivers hold real addresses', {
    about:
      'Looks for placeholders such as YOUR_ or example.com in receivers, and whether every file that a receiver reads its key from is mounted from a Secret that has it. In production a placeholder fails, elsewhere it warns. Without integrations there is nothing to replace.',
    sources: '000-INST-12, 003-AM-02, 003-AM-11',
    needs: ['alertmanager'],
    reads: [CONFIG, 'k8s:Secret', workloadKey('alertmanager')],
    run: placeholders,
  }),
  alrt('04', 'Every kind of alert has a route', {
    about:
      'Sends category and severity of every alert rule through the routing tree and looks where they end. Alerts that only the default receiver takes warn. As long as no receiver tells anybody the check does not apply.',
    sources: '003-AM-03, 003-AM-09',
    needs: ['alertmanager', 'prometheus'],
    dependsOn: ['PROM-13'],
    reads: [CONFIG, WRITTEN],
    run: routes,
  }),
  alrt('07', 'Inhibitions can match', {
    about:
      'An inhibition silences warnings while the critical alert of the same thing fires; it works only when both have the same values of the labels in equal. The check looks for a pair of alert rules that fits. One that can never match does nothing and warns.',
    sources: '003-AM-16, 003-AM-17',
    needs: ['alertmanager', 'prometheus'],
    dependsOn: ['PROM-13'],
    reads: [CONFIG, WRITTEN],
    run: inhibitions,
  }),
  alrt('08', 'Notifications are delivered', {
    about:
      'Share of notifications that failed over 15 minutes, by integration. Up to 1 % warns, more fails. The reason is as a rule a wrong key or address, or no way out of the cluster; the log of Alertmanager says it.',
    sources: '003-AM-13',
    needs: ['alertmanager', 'prometheus'],
    dependsOn: [...UP, 'PROM-01', 'PROM-03', 'PROM-04'],
    reads: [`promql:${FAILED}`, `promql:${TOLD}`, 'logs:alertmanager', 'k8s:Pod', workloadKey('alertmanager')],
    run: notifications,
  }),
  alrt('09', 'A test alert arrives', {
    about:
      'Sends an alert to a chosen receiver and waits for its arrival. It disturbs people, so it runs only when asked for, and this profile has no receiver that could be asked.',
    sources: 'derived (requirements, appendix 1)',
    ...notHere('a test alert is sent only when asked for, and no receiver of this profile tells anybody'),
  }),
];

import { bodyOf } from '../lib/service.ts';
import { notHere, type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts, ifAvailable } from '../lib/facts.ts';
import { workloadOf, podsOf } from '../lib/objects.ts';
import { mapAt, listAt, textAt, textsAt, numberAt, leaves, isJsonMap } from '../../core/json.ts';
import { plural, list, percent } from '../../core/text.ts';
import { parse } from 'yaml';
import { configObject, operatorOf, resourceOf, serviceObject } from '../lib/place.ts';
import { WRITTEN, writtenRules } from '../prometheus/rules.ts';
import { rate } from '../lib/promql.ts';
import { lastError } from '../lib/trouble.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';
import { fits, integrations, type Labels, matchersOf, receiversOf, usedReceivers } from './routes.ts';

const alrt = checksOf('ALRT');
const STATUS = '/api/v2/status';
const READY = '/-/ready';
const UP = ['ALRT-01'];
const CONFIG = fact.running('alertmanager');
const MAP = (facts: Facts) => configObject(facts, 'alertmanager');
/** What a pod of it said last. */
const lastWord = (facts: Facts) =>
  podsOf(facts, 'alertmanager')
    .map(({ metadata }) => lastError(facts, 'alertmanager', metadata.name))
    .find(Boolean) ?? '';
const FAILED = 'sum by (integration) (rate(alertmanager_notifications_failed_total[15m]))';
const TOLD = 'sum by (integration) (rate(alertmanager_notifications_total[15m]))';

function ready(facts: Facts): Verdict {
  const workload = workloadVerdict(facts, 'alertmanager');
  if (workload.status !== 'ok') return workload;
  const { status } = facts.http('alertmanager', READY);
  if (status === 200) return ok(`${workload.evidence}, ${READY} 200`);
  return fail(`${READY} answers ${status}`, {
    cause: 'no pod answers behind the Service',
    fix: `${facts.kubectlFor('alertmanager')} logs ${resourceOf(facts, 'alertmanager')} --tail=50`,
    object: serviceObject(facts, 'alertmanager'),
  });
}

/** Receivers, routes and inhibitions without the defaults that Alertmanager adds and the secrets that it hides. */
function shape(config: unknown): string {
  const routes = (route: unknown): unknown => ({
    receiver: textAt(route, 'receiver'),
    matchers: textsAt(route, 'matchers').map((text) => text.replace(/\s/g, '')),
    routes: listAt(route, 'routes').map(routes),
  });
  const receivers = listAt(config, 'receivers').map((one) => [textAt(one, 'name'), integrations(one)]);
  const inhibitions = listAt(config, 'inhibit_rules').map((rule) =>
    [textsAt(rule, 'source_matchers'), textsAt(rule, 'target_matchers'), textsAt(rule, 'equal')].map((list) =>
      list.map((text) => text.replace(/\s/g, '')),
    ),
  );
  return JSON.stringify({ routes: routes(mapAt(config, 'route')), receivers, inhibitions });
}

function loaded(facts: Facts): Verdict {
  const text = textAt(bodyOf(facts, 'alertmanager', STATUS), 'config', 'original');
  if (text === undefined) throw new FactUnavailable('Alertmanager does not show its configuration');
  const running: unknown = parse(text, { logLevel: 'error' });
  const ours = facts.running('alertmanager');
  const names = listAt(ours, 'receivers').map((one) => textAt(one, 'name') ?? '?');
  const unknown = usedReceivers(mapAt(ours, 'route')).filter((name) => !names.includes(name));
  if (unknown.length)
    return fail(`routes name receivers that do not exist: ${unknown.join(', ')}`, {
      cause: 'Alertmanager refuses such a configuration at its next start',
      fix: 'genai-obs install',
      object: MAP(facts),
    });
  if (shape(running) !== shape(ours)) {
    const said = lastWord(facts);
    return fail('Alertmanager runs with another configuration than its ConfigMap holds', {
      cause: /config|load/i.test(said) ? said.slice(0, 200) : 'it has not read it since it changed, or refused it',
      fix: `genai-obs install; then: ${facts.kubectlFor('alertmanager')} rollout restart ${resourceOf(facts, 'alertmanager')}`,
      object: MAP(facts),
    });
  }
  return ok(
    `${plural(names.length, 'receiver')}, ${plural(listAt(ours, 'inhibit_rules').length, 'inhibition')}, as in the ConfigMap`,
  );
}

const PLACEHOLDER = /YOUR[_-]|example\.(com|org|net)|CHANGE[_-]?ME|REPLACE[_-]|<[A-Z_ -]+>|xxxx/i;

function placeholders(facts: Facts): Verdict {
  const config = facts.running('alertmanager');
  const bad = leaves({ global: mapAt(config, 'global'), receivers: listAt(config, 'receivers') }).filter(({ text }) =>
    PLACEHOLDER.test(text),
  );
  const production = facts.config.global.environment.startsWith('prod');
  if (bad.length) {
    const more = {
      cause: 'a value of the example was never replaced: nobody is told',
      fix: 'enter the real receivers in the profile, then: genai-obs install',
      object: MAP(facts),
    };
    const evidence = `placeholders in ${list(bad.map(({ path }) => path))}`;
    return production ? fail(evidence, more) : warn(evidence, more);
  }
  const { namespace } = facts.place('alertmanager');
  const workload = workloadOf(facts, 'alertmanager');
  const sources = listAt(workload, 'spec', 'template', 'spec', 'volumes')
    .flatMap((volume) => listAt(volume, 'projected', 'sources'))
    .map((source) => mapAt(source, 'secret'));
  for (const { path, text } of leaves(listAt(config, 'receivers')).filter((leaf) => leaf.path.endsWith('_file'))) {
    const item = sources
      .flatMap((source) =>
        listAt(source, 'items').map((one) => ({
          secret: textAt(source, 'name') ?? '',
          key: textAt(one, 'key') ?? '',
          path: textAt(one, 'path') ?? '',
        })),
      )
      .find((one) => text.endsWith(`/${one.path}`));
    if (!item || !numberAt(facts.find('Secret', item.secret, namespace), 'keys', item.key)) {
      return fail(`${path} names ${text}, which ${item ? `Secret ${item.secret} does not hold` : 'is not mounted'}`, {
        cause: 'the Secret of the receiver is missing or has another key',
        fix: 'genai-obs install   # asks for the secret',
        object: item ? `Secret ${namespace}/${item.secret}` : MAP(facts),
      });
    }
  }
  const used = listAt(config, 'receivers').flatMap(integrations);
  return ok(
    used.length
      ? `${plural(used.length, 'integration')} (${list(used)}) without placeholders`
      : 'no integration: alerts are seen in Alertmanager and Grafana, nobody is called',
  );
}

/** Label sets of the alerts that can fire. */
function labelSets(facts: Facts): Labels[] {
  const { rules } = writtenRules(facts);
  return rules
    .filter(({ alert }) => alert)
    .map(({ name, labels }) => ({
      ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)])),
      alertname: name,
    }));
}

/** Alerts that go the same way are told once, by what decides it. */
function kindsOf(facts: Facts): { name: string; labels: Labels }[] {
  const named = labelSets(facts).map((labels) => ({
    name: `${labels['category'] ?? '-'}/${labels['severity'] ?? '-'}`,
    labels,
  }));
  return [...new Map(named.map((one) => [one.name, one])).values()];
}

function routes(facts: Facts): Verdict {
  const config = facts.running('alertmanager');
  const telling = listAt(config, 'receivers').filter((one) => integrations(one).length);
  if (!telling.length)
    return skip('no receiver has an integration: every alert stays in Alertmanager, whatever its route');
  const root = mapAt(config, 'route');
  const ways = kindsOf(facts).map(({ name, labels }) => ({ name, ...receiversOf(root, labels) }));
  const silent = ways.filter(({ receivers }) =>
    receivers.every(
      (name) => !integrations(listAt(config, 'receivers').find((one) => textAt(one, 'name') === name)).length,
    ),
  );
  if (!ways.length) throw new FactUnavailable('the rules hold no alert');
  if (silent.length)
    return warn(
      `alerts that reach nobody: ${list(silent.map(({ name, receivers }) => `${name} → ${receivers.join(', ')}`))}`,
      {
        cause: 'they fall to a default without an integration',
        fix: 'add a route for them to the profile, then: genai-obs install',
        object: MAP(facts),
      },
    );
  const byDefault = ways.filter((way) => way.byDefault && way.name !== 'observability/info');
  if (byDefault.length && listAt(root, 'routes').length)
    return warn(`alerts without a route of their own: ${list(byDefault.map(({ name }) => name))}`, {
      cause: 'they fall to the default receiver',
      fix: 'add a route for them to the profile, then: genai-obs install',
      object: MAP(facts),
    });
  return ok(
    `${plural(ways.length, 'kind')} of alerts reach ${list([...new Set(ways.flatMap(({ receivers }) => receivers))])}`,
  );
}

function inhibitions(facts: Facts): Verdict {
  const rules = listAt(facts.running('alertmanager'), 'inhibit_rules');
  if (!rules.length) return skip('no inhibition is configured');
  const sets = labelSets(facts);
  if (!sets.length) throw new FactUnavailable('the rules hold no alert');
  const dead = rules.flatMap((rule, index) => {
    const source = matchersOf(
      textsAt(rule, 'source_matchers'),
      isJsonMap(rule) ? rule['source_match'] : {},
      isJsonMap(rule) ? rule['source_match_re'] : {},
    );
    const target = matchersOf(
      textsAt(rule, 'target_matchers'),
      isJsonMap(rule) ? rule['target_match'] : {},
      isJsonMap(rule) ? rule['target_match_re'] : {},
    );
    const equal = textsAt(rule, 'equal');
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
          `number ${index + 1} (${textsAt(rule, 'source_matchers').join(', ')} → ${textsAt(rule, 'target_matchers').join(', ')})`,
        ];
  });
  if (dead.length)
    return warn(`inhibitions that can never match: ${list(dead)}`, {
      cause: 'no pair of alerts has the same values of the labels in equal',
      fix: 'change equal or the labels of the rules, then: genai-obs install',
      object: MAP(facts),
    });
  return ok(`${plural(rules.length, 'inhibition')} can match`);
}

function notifications(facts: Facts): Verdict {
  const told = facts.promql(TOLD);
  if (!told.length) throw new FactUnavailable('Prometheus has no series of Alertmanager: see PROM-04');
  const failed = facts.promql(FAILED).filter(({ value }) => value > 0);
  const total = told.reduce((sum, { value }) => sum + value, 0);
  if (!failed.length)
    return ok(
      total ? `${rate(total, 'notifications')}, none failed in 15 min` : 'no notification sent in 15 min, none failed',
    );
  const bad = failed.reduce((sum, { value }) => sum + value, 0);
  const share = bad / Math.max(bad, total);
  const text = `${percent(share)} of notifications failed in 15 min: ${list(failed.map(({ metric }) => metric['integration'] ?? '?'))}`;
  const said = ifAvailable(() => lastWord(facts), '');
  const more = {
    cause: said ? said.slice(0, 200) : 'address, key or network of the receiver',
    fix: `${facts.kubectlFor('alertmanager')} logs ${resourceOf(facts, 'alertmanager')} --since=15m | grep -i notify`,
    object: MAP(facts),
  };
  return share > 0.01 ? fail(text, more) : warn(text, more);
}

export const alertmanagerChecks: Check[] = [
  alrt('01', 'Alertmanager is ready', {
    about:
      'The workload of Alertmanager must have its pod ready and answer /-/ready. Without it alerts fire in Prometheus and nobody is told. The finding names the cause: claim, image, memory, or the line of its configuration that it refuses.',
    sources: '004-P4-12',
    needs: ['alertmanager'],
    reads: [...workloadReads('alertmanager'), fact.http('alertmanager', READY)],
    run: ready,
  }),
  alrt('02', 'Alertmanager runs with our configuration', {
    about:
      'Routes, receivers and inhibitions that Alertmanager has loaded, against its ConfigMap. After a refused reload it goes on with the old ones, and after its next start it does not come up. A route to a receiver that does not exist is such a reason.',
    sources: '003-AM-01, 003-AM-18',
    needs: ['alertmanager'],
    dependsOn: UP,
    skipIf: (config) => operatorOf(config, 'alertmanager'),
    reads: [
      fact.http('alertmanager', STATUS),
      CONFIG,
      fact.logs('alertmanager'),
      fact.pods(),
      fact.workloads('alertmanager'),
    ],
    run: loaded,
  }),
  alrt('03', 'Receivers hold real addresses', {
    about:
      'Looks for placeholders such as YOUR_ or example.com in receivers, and whether every file that a receiver reads its key from is mounted from a Secret that has it. In production a placeholder fails, elsewhere it warns. Without integrations there is nothing to replace.',
    sources: '000-INST-12, 003-AM-02, 003-AM-11',
    needs: ['alertmanager'],
    reads: [CONFIG, fact.objects('Secret'), fact.workloads('alertmanager')],
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
    reads: [
      fact.promql(FAILED),
      fact.promql(TOLD),
      fact.logs('alertmanager'),
      fact.pods(),
      fact.workloads('alertmanager'),
    ],
    run: notifications,
  }),
  alrt('09', 'A test alert arrives', {
    about:
      'Sends an alert to a chosen receiver and waits for its arrival. It disturbs people, so it runs only when asked for, and this profile has no receiver that could be asked.',
    sources: 'derived (requirements, appendix 1)',
    ...notHere('a test alert is sent only when asked for, and no receiver of this profile tells anybody'),
  }),
];

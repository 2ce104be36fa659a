import { CONFIG, lastLogError, MAP, UP } from './alertmanager.ts';
import { notHere, type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts, ifAvailable } from '../lib/facts.ts';
import { mapAt, listAt, textAt, textsAt, isJsonMap } from '../../core/json.ts';
import { plural, list, percent } from '../../core/text.ts';
import { resourceOf } from '../lib/place.ts';
import { WRITTEN, writtenRules } from '../prometheus/rules.ts';
import { rate } from '../lib/promql.ts';
import { fits, integrations, type Labels, matchersOf, receiversOf } from './routes.ts';

const alrt = checksOf('ALRT');

const FAILED = 'sum by (integration) (rate(alertmanager_notifications_failed_total[15m]))';

const SENT = 'sum by (integration) (rate(alertmanager_notifications_total[15m]))';

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

/** One entry per category and severity, which decide the route. */
function kindsOf(facts: Facts): { name: string; labels: Labels }[] {
  const named = labelSets(facts).map((labels) => ({
    name: `${labels['category'] ?? '-'}/${labels['severity'] ?? '-'}`,
    labels,
  }));
  return [...new Map(named.map((one) => [one.name, one])).values()];
}

function routes(facts: Facts): Verdict {
  const config = facts.running('alertmanager');
  const notifying = listAt(config, 'receivers').filter((one) => integrations(one).length);
  if (!notifying.length) return skip('no receiver has an integration: every alert stays in Alertmanager');
  const root = mapAt(config, 'route');
  const routed = kindsOf(facts).map(({ name, labels }) => ({ name, ...receiversOf(root, labels) }));
  const silent = routed.filter(({ receivers }) =>
    receivers.every(
      (name) => !integrations(listAt(config, 'receivers').find((one) => textAt(one, 'name') === name)).length,
    ),
  );
  if (!routed.length) throw new FactUnavailable('the rule files contain no alert');
  if (silent.length)
    return warn(
      `alerts without notification: ${list(silent.map(({ name, receivers }) => `${name} → ${receivers.join(', ')}`))}`,
      {
        cause: 'they reach a default receiver without an integration',
        fix: 'add a route to the profile, then: genai-obs install',
        object: MAP(facts),
      },
    );
  const byDefault = routed.filter((kind) => kind.byDefault && kind.name !== 'observability/info');
  if (byDefault.length && listAt(root, 'routes').length)
    return warn(`alerts without a route of their own: ${list(byDefault.map(({ name }) => name))}`, {
      cause: 'they reach the default receiver',
      fix: 'add a route to the profile, then: genai-obs install',
      object: MAP(facts),
    });
  return ok(
    `${plural(routed.length, 'kind')} of alerts reach ` +
      list([...new Set(routed.flatMap(({ receivers }) => receivers))]),
  );
}

function inhibitions(facts: Facts): Verdict {
  const rules = listAt(facts.running('alertmanager'), 'inhibit_rules');
  if (!rules.length) return skip('no inhibition is configured');
  const sets = labelSets(facts);
  if (!sets.length) throw new FactUnavailable('the rule files contain no alert');
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
    // Alertmanager treats a label that both lack as equal.
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
          `number ${index + 1} ` +
            `(${textsAt(rule, 'source_matchers').join(', ')} → ${textsAt(rule, 'target_matchers').join(', ')})`,
        ];
  });
  if (dead.length)
    return warn(`inhibitions that can never match: ${list(dead)}`, {
      cause: 'no pair of alerts has the same values of the labels in `equal`',
      fix: 'change `equal` or the labels of the rules, then: genai-obs install',
      object: MAP(facts),
    });
  return ok(`${plural(rules.length, 'inhibition')} can match`);
}

function notifications(facts: Facts): Verdict {
  const sent = facts.promql(SENT);
  if (!sent.length) throw new FactUnavailable('Prometheus has no series of Alertmanager: see PROM-04');
  const failed = facts.promql(FAILED).filter(({ value }) => value > 0);
  const total = sent.reduce((sum, { value }) => sum + value, 0);
  if (!failed.length)
    return ok(total ? `${rate(total, 'notifications')}, none failed in 15 min` : 'no notification in 15 min');
  const bad = failed.reduce((sum, { value }) => sum + value, 0);
  const share = bad / Math.max(bad, total);
  const text =
    `${percent(share)} of notifications failed in 15 min: ` +
    list(failed.map(({ metric }) => metric['integration'] ?? '?'));
  const error = ifAvailable(() => lastLogError(facts), '');
  const more = {
    cause: error ? error.slice(0, 200) : 'wrong address or key, or the receiver cannot be reached',
    fix: `${facts.kubectlFor('alertmanager')} logs ${resourceOf(facts, 'alertmanager')} --since=15m | grep -i notify`,
    object: MAP(facts),
  };
  return share > 0.01 ? fail(text, more) : warn(text, more);
}

export const notificationChecks: Check[] = [
  alrt('04', 'Every kind of alert has a route', {
    about:
      'Evaluates the routing tree for the category and severity of every alert rule. Warning: alerts reach only ' +
      'the default receiver or no integration; add a route to the profile. Skipped if no receiver has an ' +
      'integration.',
    sources: '003-AM-03, 003-AM-09',
    needs: ['alertmanager', 'prometheus'],
    dependsOn: ['PROM-13'],
    reads: [CONFIG, WRITTEN],
    run: routes,
  }),
  alrt('07', 'Inhibitions can match', {
    about:
      'An inhibition mutes warnings while a critical alert of the same subject fires, if both have the same ' +
      'values of the labels in `equal`. Warning: no pair of alert rules can match an inhibition, so it has no ' +
      'effect. Change `equal` or the labels of the rules.',
    sources: '003-AM-16, 003-AM-17',
    needs: ['alertmanager', 'prometheus'],
    dependsOn: ['PROM-13'],
    reads: [CONFIG, WRITTEN],
    run: inhibitions,
  }),
  alrt('08', 'Notifications are delivered', {
    about:
      'Measures the share of notifications that failed within 15 minutes, by integration. Ok: none. Warning: up ' +
      'to 1 %. Failed: more. Usual causes are a wrong key or address, or an air-gapped cluster; the log of ' +
      'Alertmanager shows the error.',
    sources: '003-AM-13',
    needs: ['alertmanager', 'prometheus'],
    dependsOn: [...UP, 'PROM-01', 'PROM-03', 'PROM-04'],
    reads: [
      fact.promql(FAILED),
      fact.promql(SENT),
      fact.logs('alertmanager'),
      fact.pods(),
      fact.workloads('alertmanager'),
    ],
    run: notifications,
  }),
  alrt('09', 'A test alert arrives', {
    about:
      'Would send an alert to a receiver and wait for its arrival. The alert disturbs people, so it is sent only ' +
      'on request. This profile has no receiver for it.',
    sources: 'genai-obs',
    ...notHere('a test alert is sent only on request, and no receiver of this profile has an integration'),
  }),
];

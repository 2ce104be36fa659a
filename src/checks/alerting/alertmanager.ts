import { bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { workloadOf, podsOf } from '../lib/objects.ts';
import { mapAt, listAt, textAt, textsAt, numberAt, leaves } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { parse } from 'yaml';
import { configObject, operatorOf, resourceOf, serviceObject } from '../lib/place.ts';
import { lastError } from '../lib/trouble.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';
import { integrations, usedReceivers } from './routes.ts';

const alrt = checksOf('ALRT');
const STATUS = '/api/v2/status';
const READY = '/-/ready';
export const UP = ['ALRT-01'];
export const CONFIG = fact.running('alertmanager');
export const MAP = (facts: Facts) => configObject(facts, 'alertmanager');
/** The last error in the logs of Alertmanager, or an empty string. */
export const lastLogError = (facts: Facts) =>
  podsOf(facts, 'alertmanager')
    .map(({ metadata }) => lastError(facts, 'alertmanager', metadata.name))
    .find(Boolean) ?? '';

function ready(facts: Facts): Verdict {
  const workload = workloadVerdict(facts, 'alertmanager');
  if (workload.status !== 'ok') return workload;
  const { status } = facts.http('alertmanager', READY);
  if (status === 200) return ok(`${workload.evidence}, ${READY} 200`);
  return fail(`${READY} answers ${status}`, {
    cause: 'no pod of the Service responds',
    fix: `${facts.kubectlFor('alertmanager')} logs ${resourceOf(facts, 'alertmanager')} --tail=50`,
    object: serviceObject(facts, 'alertmanager'),
  });
}

/** Receivers, routes and inhibitions, without defaults that Alertmanager adds and secrets that it masks. */
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
  if (text === undefined) throw new FactUnavailable('Alertmanager does not report its configuration');
  const running: unknown = parse(text, { logLevel: 'error' });
  const configured = facts.running('alertmanager');
  const names = listAt(configured, 'receivers').map((one) => textAt(one, 'name') ?? '?');
  const unknown = usedReceivers(mapAt(configured, 'route')).filter((name) => !names.includes(name));
  if (unknown.length)
    return fail(`routes name receivers that do not exist: ${unknown.join(', ')}`, {
      cause: 'Alertmanager will not start with this configuration',
      fix: 'genai-obs install',
      object: MAP(facts),
    });
  if (shape(running) !== shape(configured)) {
    const error = lastLogError(facts);
    return fail('the configuration of Alertmanager differs from its ConfigMap', {
      cause: /config|load/i.test(error)
        ? error.slice(0, 200)
        : 'it has not loaded the ConfigMap since it changed, or refused it',
      fix:
        `genai-obs install; then: ${facts.kubectlFor('alertmanager')} ` +
        `rollout restart ${resourceOf(facts, 'alertmanager')}`,
      object: MAP(facts),
    });
  }
  return ok(
    `${plural(names.length, 'receiver')}, ` +
      `${plural(listAt(configured, 'inhibit_rules').length, 'inhibition')}, as in the ConfigMap`,
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
      cause: 'an example value was not replaced, so nobody gets notified',
      fix: 'set the real receivers in the profile, then: genai-obs install',
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
      return fail(`${path} is ${text}, which is not ${item ? `in Secret ${item.secret}` : 'mounted'}`, {
        cause: 'the Secret of the receiver is missing or has another key',
        fix: 'genai-obs install   # prompts for the secret',
        object: item ? `Secret ${namespace}/${item.secret}` : MAP(facts),
      });
    }
  }
  const used = listAt(config, 'receivers').flatMap(integrations);
  return ok(
    used.length
      ? `${plural(used.length, 'integration')} (${list(used)}) without placeholders`
      : 'no integration: alerts are shown in Alertmanager and Grafana, but nobody gets notified',
  );
}

export const alertmanagerChecks: Check[] = [
  alrt('01', 'Alertmanager is ready', {
    about:
      'Checks that the pod of Alertmanager is ready and answers /-/ready. Failed: it does not; alerts fire in ' +
      'Prometheus, but no notification is sent. The finding names the cause: a claim, an image, memory, or an ' +
      'invalid line in the configuration.',
    sources: '004-P4-12',
    needs: ['alertmanager'],
    reads: [...workloadReads('alertmanager'), fact.http('alertmanager', READY)],
    run: ready,
  }),
  alrt('02', 'Alertmanager uses the configuration of its ConfigMap', {
    about:
      'Compares the loaded routes, receivers and inhibitions with the ConfigMap. Failed: they differ, or a route ' +
      'names a receiver that does not exist. After a refused reload, Alertmanager keeps the old configuration, ' +
      'but fails at its next start. Run `genai-obs install`.',
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
  alrt('03', 'Receivers have real addresses', {
    about:
      'Looks for placeholders such as YOUR_ or example.com in receivers, and checks that every key file is ' +
      'mounted from a Secret that has the key. Warning: a placeholder. Failed: a placeholder in production, or a ' +
      'missing key. Set the real receivers in the profile and run `genai-obs install`. Ok without integrations.',
    sources: '000-INST-12, 003-AM-02, 003-AM-11',
    needs: ['alertmanager'],
    reads: [CONFIG, fact.objects('Secret'), fact.workloads('alertmanager')],
    run: placeholders,
  }),
];

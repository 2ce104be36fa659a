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
/** What a pod of it said last. */
export const lastWord = (facts: Facts) =>
  podsOf(facts, 'alertmanager')
    .map(({ metadata }) => lastError(facts, 'alertmanager', metadata.name))
    .find(Boolean) ?? '';

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
];

import { formatDuration } from '../../core/quantity.ts';
import { ageOf } from '../lib/objects.ts';
import { SECRET_MARK } from '../lib/values.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { plural, list } from '../../core/text.ts';
import { GRAFANA_ADMIN } from '../../core/labels.ts';
import { type Config } from '../../profile/schema.ts';
import { enabledComponents, namespaceIn } from '../lib/place.ts';

const sec = checksOf('SEC');

const noGrafana = (config: Config) => (config.grafana.enabled ? undefined : 'Grafana is not part of this profile');

function defaults(facts: Facts): Verdict {
  const weak = facts.objects('Secret').filter((one) => ((one['weak'] as string[] | undefined) ?? []).length > 0);
  const first = weak[0];
  if (!first)
    return ok(
      `none of ${plural(facts.objects('Secret').length, 'Secret')} holds a well-known default or a placeholder`,
    );
  const evidence =
    `Secret ${list(weak.map((one) => one.metadata.name))}: ${(first['weak'] as string[]).join(', ')} is ` +
    'a well-known default or a placeholder';
  const kubectl = facts.kubectlIn(namespaceIn(facts, first));
  const fix =
    first.metadata.name === GRAFANA_ADMIN
      ? `${kubectl} delete secret ${GRAFANA_ADMIN}, then: genai-obs install --only secrets,grafana`
      : `${kubectl} edit secret ${first.metadata.name}`;
  const more = {
    object: `Secret ${namespaceIn(facts, first)}/${first.metadata.name}`,
    cause: 'the value was never changed',
    fix,
  };
  return facts.config.global.environment === 'production' ? fail(evidence, more) : warn(evidence, more);
}

/** Finds the marks that collectors write in place of secrets. */
function leaks(facts: Facts): Verdict {
  const found: { where: string; object: string; kind: string; fix: string }[] = [];
  const seek = (where: string, text: string, fix: string, object = where): void => {
    const match = SECRET_MARK.exec(text);
    if (match) found.push({ where, object, kind: match[1] ?? 'secret', fix });
  };
  for (const map of facts.objects('ConfigMap'))
    seek(
      `ConfigMap ${namespaceIn(facts, map)}/${map.metadata.name}`,
      JSON.stringify(map['data'] ?? {}),
      `move the value to a Secret and remove it here: ${facts.kubectlIn(namespaceIn(facts, map))} edit ` +
        `configmap ${map.metadata.name}`,
    );
  for (const pod of facts.pods())
    seek(
      `Pod ${namespaceIn(facts, pod)}/${pod.metadata.name}`,
      JSON.stringify(pod['spec'] ?? {}),
      'take the value from a Secret with valueFrom.secretKeyRef',
    );
  for (const id of enabledComponents(facts.config)) {
    for (const [pod, lines] of Object.entries(facts.logs(id)))
      seek(
        `log of ${pod}`,
        lines.join('\n'),
        `find the log line: ${facts.kubectlFor(id)} logs ${pod.split('/')[0]}; redact it there, and rotate the secret`,
        `Pod ${facts.place(id).namespace}/${pod}`,
      );
  }
  const first = found[0];
  if (!first) return ok('no password, key or token in ConfigMaps, pod environments and the last log lines');
  return fail(`clear text that looks like a secret (${first.kind}): ${list(found.map((one) => one.where))}`, {
    object: first.object,
    cause: 'ConfigMaps, pod specs and logs are readable by many; secrets belong in Secrets',
    fix: first.fix,
  });
}

const DAY = 86_400;

function rotation(facts: Facts): Verdict {
  const secret = facts.find('Secret', GRAFANA_ADMIN, facts.place('grafana').namespace);
  if (!secret) return skip(`there is no Secret ${GRAFANA_ADMIN} (PRE-22)`);
  const old = ageOf(facts, secret);
  const evidence = `the password of Grafana’s administrator is ${formatDuration(old)} old`;
  const more = {
    object: `Secret ${facts.place('grafana').namespace}/${GRAFANA_ADMIN}`,
    cause: 'credentials should be changed every month',
    fix:
      `${facts.kubectlFor('grafana')} delete secret ${GRAFANA_ADMIN}, then: genai-obs install --only ` +
      'secrets,grafana',
  };
  if (old < 30 * DAY) return ok(evidence);
  return old < 90 * DAY ? warn(evidence, more) : fail(evidence, more);
}

export const secretChecks: Check[] = [
  sec('04', 'No default credentials', {
    about:
      "Looks in the Secrets of the stack's namespaces for well-known values (admin, changeme, " +
      'prom-operator …) and placeholders. Warning: found. Failed: found in production. Values are ' +
      'compared when facts are collected and never stored.',
    sources: '000-INST-08, 000-VAL-04, 003-QS-01',
    reads: [fact.objects('Secret')],
    run: defaults,
  }),
  sec('05', 'No secrets in clear text', {
    about:
      'Looks for private keys, API keys, tokens, passwords in URLs and password settings in ' +
      'ConfigMaps, pod specs and the last log lines of every component. Failed: found; move it to a ' +
      'Secret and rotate it. Facts contain a mark instead of the value.',
    sources: '002-ATTR-04',
    reads: (config) => [
      fact.objects('ConfigMap'),
      fact.pods(),
      ...enabledComponents(config).map((id) => fact.logs(id)),
    ],
    run: leaks,
  }),
  sec('06', 'Credentials are rotated', {
    about:
      "Age of the password of Grafana's administrator. Ok: under 30 days. Warning: under 90. Failed: " +
      'older; recreate the Secret.',
    sources: '004-MNT-03',
    reads: [fact.objects('Secret'), fact.time()],
    skipIf: noGrafana,
    run: rotation,
  }),
];

import { MARKER } from '../../doctor/facts/scrub.ts';
import { GRAFANA_ADMIN } from '../../core/labels.ts';
import { age, count, names } from '../../doctor/quantity.ts';
import { ageMs } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, skip, warn } from '../../doctor/types.ts';
import { COMPONENT_IDS, type Config, isEnabled } from '../../profile/schema.ts';
import { namespaceIn } from '../helpers/place.ts';

const base = { area: 'SEC', stage: 'stack' } as const;

const enabled = (config: Config) => COMPONENT_IDS.filter((id) => isEnabled(config, id));

const noGrafana = (config: Config) => (config.grafana.enabled ? undefined : 'Grafana is not part of this profile');

function defaults(look: Look): Verdict {
  const weak = look.list('Secret').filter((one) => ((one['weak'] as string[] | undefined) ?? []).length > 0);
  const first = weak[0];
  if (!first)
    return ok(`none of ${count(look.list('Secret').length, 'Secret')} holds a well-known default or a placeholder`);
  const evidence = `Secret ${names(weak.map((one) => one.metadata.name))}: ${(first['weak'] as string[]).join(', ')} is a well-known default or a placeholder`;
  const kubectl = look.kubectlIn(namespaceIn(look, first));
  const fix =
    first.metadata.name === GRAFANA_ADMIN
      ? `${kubectl} delete secret ${GRAFANA_ADMIN}, then: genai-obs install --only secrets,grafana`
      : `${kubectl} edit secret ${first.metadata.name}`;
  const more = {
    object: `Secret ${namespaceIn(look, first)}/${first.metadata.name}`,
    cause: 'the value was never changed',
    fix,
  };
  return look.config.global.environment === 'production' ? fail(evidence, more) : warn(evidence, more);
}

/** Markers that the fact collectors put in place of what looks like a secret. */
function leaks(look: Look): Verdict {
  const found: { where: string; object: string; kind: string; fix: string }[] = [];
  const seek = (where: string, text: string, fix: string, object = where): void => {
    const match = MARKER.exec(text);
    if (match) found.push({ where, object, kind: match[1] ?? 'secret', fix });
  };
  for (const map of look.list('ConfigMap'))
    seek(
      `ConfigMap ${namespaceIn(look, map)}/${map.metadata.name}`,
      JSON.stringify(map['data'] ?? {}),
      `move the value into a Secret and take it out: ${look.kubectlIn(namespaceIn(look, map))} edit configmap ${map.metadata.name}`,
    );
  for (const pod of look.list('Pod'))
    seek(
      `Pod ${namespaceIn(look, pod)}/${pod.metadata.name}`,
      JSON.stringify(pod['spec'] ?? {}),
      'take the value from a Secret with valueFrom.secretKeyRef',
    );
  for (const id of enabled(look.config)) {
    for (const [pod, lines] of Object.entries(look.fact<Record<string, string[]>>(`logs:${id}`)))
      seek(
        `log of ${pod}`,
        lines.join('\n'),
        `find who writes it: ${look.kubectlFor(id)} logs ${pod.split('/')[0]}; redact it there, and rotate the secret`,
        `Pod ${look.place(id).namespace}/${pod}`,
      );
  }
  const first = found[0];
  if (!first) return ok('no password, key or token in ConfigMaps, pod environments and the last log lines');
  return fail(`clear text that looks like a secret (${first.kind}): ${names(found.map((one) => one.where))}`, {
    object: first.object,
    cause: 'ConfigMaps, pod specs and logs are readable by many; secrets belong into Secrets',
    fix: first.fix,
  });
}

const DAY = 86_400_000;

function rotation(look: Look): Verdict {
  const secret = look.find('Secret', GRAFANA_ADMIN, look.place('grafana').namespace);
  if (!secret) return skip(`there is no Secret ${GRAFANA_ADMIN} (PRE-22)`);
  const old = ageMs(secret, look.fact<{ iso: string }>('time:now').iso);
  const evidence = `the password of Grafana’s administrator is ${age(old)} old`;
  const more = {
    object: `Secret ${look.place('grafana').namespace}/${GRAFANA_ADMIN}`,
    cause: 'credentials are to be changed every month',
    fix: `${look.kubectlFor('grafana')} delete secret ${GRAFANA_ADMIN}, then: genai-obs install --only secrets,grafana`,
  };
  if (old < 30 * DAY) return ok(evidence);
  return old < 90 * DAY ? warn(evidence, more) : fail(evidence, more);
}

export const secretChecks: Check[] = [
  {
    ...base,
    id: 'SEC-04',
    title: 'No default credentials',
    about:
      'No Secret of the stack’s namespaces holds a value that everybody knows (admin, changeme, prom-operator …) or a placeholder. Failed in production, a warning elsewhere. The values themselves never leave the look.',
    sources: '000-INST-08, 000-VAL-04, 003-QS-01',
    reads: () => ['k8s:Secret'],
    run: defaults,
  },
  {
    ...base,
    id: 'SEC-05',
    title: 'No secrets in clear text',
    about:
      'Looks for private keys, API keys, tokens, passwords in URLs and password settings in ConfigMaps, pod specs and the last log lines of every component. What is found is replaced before it becomes a fact.',
    sources: '002-ATTR-04',
    reads: (config) => ['k8s:ConfigMap', 'k8s:Pod', ...enabled(config).map((id) => `logs:${id}`)],
    run: leaks,
  },
  {
    ...base,
    id: 'SEC-06',
    title: 'Credentials are rotated',
    about: 'Age of Grafana’s administrator password. Ok: under 30 days. Warning: under 90. Failed: older.',
    sources: '004-MNT-03',
    reads: () => ['k8s:Secret', 'time:now'],
    skipIf: noGrafana,
    run: rotation,
  },
];

import { bodyOf } from '../lib/service.ts';
import { type Verdict, type Check, checksOf, ok, fail } from '../lib/check.ts';
import { fact, type Reads, type Facts, ifAvailable } from '../lib/facts.ts';
import { podsOf } from '../lib/objects.ts';
import { at, mapAt, listAt, textAt } from '../../core/json.ts';
import { oneLine, plural, list } from '../../core/text.ts';
import { parse } from 'yaml';
import { ruleFiles } from '../../parts/prometheus/rulefiles.ts';
import { configObject, operatorOf, resourceOf } from '../lib/place.ts';
import { syntaxProblem } from '../lib/query.ts';
import { lastError } from '../lib/trouble.ts';
import { essence } from '../lib/trouble.ts';

const prom = checksOf('PROM');
const MAP = 'prometheus-rules';
export const RULES = fact.http('prometheus', '/api/v1/rules');
/** An operator has PrometheusRules instead of a ConfigMap; the check then uses the planned rules. */
export const WRITTEN: Reads = (config) => (operatorOf(config, 'prometheus') ? [] : fact.objects('ConfigMap'));
const RUNTIME = '/api/v1/status/runtimeinfo';

export interface WrittenRule {
  file: string;
  group: string;
  name: string;
  alert: boolean;
  expr: string;
  labels: Record<string, unknown>;
  annotations: Record<string, unknown>;
}

/** The object that holds the rules, for messages. */
export function rulesObject(facts: Facts): string {
  return operatorOf(facts.config, 'prometheus')
    ? configObject(facts, 'prometheus')
    : `ConfigMap ${facts.place('prometheus').namespace}/${MAP}`;
}

function ruleMap(facts: Facts): Record<string, unknown> | undefined {
  if (operatorOf(facts.config, 'prometheus')) return ruleFiles(facts.config);
  const map = facts.find('ConfigMap', MAP, facts.place('prometheus').namespace);
  return map && mapAt(map, 'data');
}

/** Rules in the ConfigMap, up to the first file that is not valid YAML (`broken`). */
export function writtenRules(facts: Facts): { rules: WrittenRule[]; groups: string[]; broken?: string } {
  const rules: WrittenRule[] = [];
  const groups: string[] = [];
  for (const [file, text] of Object.entries(ruleMap(facts) ?? {})) {
    let content: unknown;
    try {
      content = parse(String(text), { logLevel: 'error' });
    } catch (error) {
      return {
        rules,
        groups,
        broken: `${file}: ${oneLine(error instanceof Error ? error.message : String(error), 160)}`,
      };
    }
    for (const group of listAt(content, 'groups')) {
      const name = textAt(group, 'name') ?? '?';
      groups.push(name);
      for (const rule of listAt(group, 'rules')) {
        const alert = textAt(rule, 'alert');
        rules.push({
          file,
          group: name,
          name: alert ?? textAt(rule, 'record') ?? '?',
          alert: alert !== undefined,
          expr: textAt(rule, 'expr') ?? '',
          labels: mapAt(rule, 'labels'),
          annotations: mapAt(rule, 'annotations'),
        });
      }
    }
  }
  return { rules, groups };
}

export interface LoadedRule {
  group: string;
  name: string;
  alert: boolean;
  health: string;
  error: string;
  query: string;
}

export function loadedRules(facts: Facts): LoadedRule[] {
  return listAt(bodyOf(facts, 'prometheus', '/api/v1/rules'), 'data', 'groups').flatMap((group) =>
    listAt(group, 'rules').map((rule) => ({
      group: textAt(group, 'name') ?? '?',
      name: textAt(rule, 'name') ?? '?',
      alert: at(rule, 'type') === 'alerting',
      health: textAt(rule, 'health') ?? 'unknown',
      error: textAt(rule, 'lastError') ?? '',
      query: textAt(rule, 'query') ?? '',
    })),
  );
}

function rulesAreLoaded(facts: Facts): Verdict {
  const object = rulesObject(facts);
  const fix = 'genai-obs install   # restores the rules';
  if (!ruleMap(facts))
    return fail(`ConfigMap ${MAP} does not exist: no rules, no alerts`, {
      cause: 'the ConfigMap was deleted',
      fix,
      object,
    });
  const { rules, groups, broken } = writtenRules(facts);
  if (broken)
    return fail(`${MAP} contains a file that is not valid YAML, ${broken}`, {
      cause: 'the ConfigMap was edited manually; Prometheus rejects it at the next start or reload',
      fix,
      object,
    });
  const faulty = rules
    .map((rule) => ({ rule, problem: rule.expr ? syntaxProblem(rule.expr, 'promql') : 'no expression' }))
    .find(({ problem }) => problem);
  if (faulty) {
    const { rule, problem } = faulty;
    return fail(`rule ${rule.name} in ${rule.file} (group ${rule.group}) cannot be parsed: ${problem}`, {
      cause: 'a syntax error in the expression; Prometheus rejects all rules at the next start or reload',
      fix,
      object,
    });
  }
  const loaded = loadedRules(facts);
  const missing = [...new Set(groups)].filter(
    (group) => !loaded.some((rule) => rule.group === group) && rules.some((rule) => rule.group === group),
  );
  if (missing.length)
    return fail(`${missing.length} of ${groups.length} rule groups are not loaded: ${list(missing)}`, {
      cause: 'Prometheus has not reloaded the ConfigMap since it changed, or rejected it',
      fix: `${facts.kubectlFor('prometheus')} rollout restart ${resourceOf(facts, 'prometheus')}`,
      object,
    });
  const failing = loaded.filter(({ health }) => health === 'err');
  if (failing[0])
    return fail(
      `${plural(failing.length, 'rule')} of ${loaded.length} fail: ${list(failing.map(({ name }) => name))}; ` +
        `${failing[0].name}: ${oneLine(failing[0].error, 160)}`,
      {
        cause: 'the expression does not fit the data, such as many-to-many matching or duplicate series',
        fix: `${fix}; for a rule of your own: fix it in ${MAP}`,
        object,
      },
    );
  return ok(`${groups.length} groups, ${loaded.length} rules, none fails`);
}

function reloaded(facts: Facts): Verdict {
  const data = mapAt(bodyOf(facts, 'prometheus', RUNTIME), 'data');
  const when = textAt(data, 'lastConfigTime') ?? '?';
  if (data['reloadConfigSuccess'] === true) return ok(`Prometheus runs the configuration of ${when}`);
  const logs = ifAvailable(() => facts.logs('prometheus'), {});
  const line = Object.values(logs)
    .flat()
    .filter((text) => /level=(error|ERROR)/.test(text) && /rule|config|reload/i.test(text))
    .at(-1);
  const message = line
    ? essence(line)
    : (podsOf(facts, 'prometheus')
        .map(({ metadata }) => lastError(facts, 'prometheus', metadata.name))
        .find(Boolean) ?? '');
  return fail(
    `the last reload failed; Prometheus still runs the configuration of ${when}` +
      (message ? `: ${oneLine(message, 320)}` : ''),
    {
      cause: message
        ? 'Prometheus rejects the changed file that its log names'
        : 'Prometheus rejects the changed configuration',
      fix:
        `genai-obs install   # restores configuration and rules; then: ${facts.kubectlFor('prometheus')} ` +
        `rollout restart ${resourceOf(facts, 'prometheus')}`,
      object: /rule/i.test(message) ? rulesObject(facts) : configObject(facts, 'prometheus'),
    },
  );
}

export const ruleChecks: Check[] = [
  prom('13', 'Rule groups are loaded and healthy', {
    about:
      'Every group in the ConfigMap prometheus-rules must be loaded, and every rule must be ' +
      'healthy. Invalid YAML and syntax errors in expressions fail before Prometheus reads them at ' +
      'its next start and exits. `genai-obs install` restores the rules.',
    sources: '000-CFG-04, 000-OPEN-02, 003-AR-00, 004-P4-10',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03', 'PROM-14'],
    reads: [WRITTEN, RULES],
    run: rulesAreLoaded,
  }),
  prom('14', 'The last configuration reload succeeded', {
    about:
      'After a failed reload Prometheus keeps the previous configuration. Failed: the last reload ' +
      'failed, so Prometheus will not start after a restart. The finding shows the log line that ' +
      'names the file, group and rule.',
    sources: '001-PROM-02, 003-AR-15, 003-PROM-08',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03'],
    reads: [fact.http('prometheus', RUNTIME), fact.logs('prometheus'), fact.pods(), fact.workloads('prometheus')],
    run: reloaded,
  }),
];

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
/** With an operator there is no ConfigMap: the rules are objects of their own kind, and what was planned stands for what was written. */
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

/** Where the rules stand, for people. */
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

/** Rules of the ConfigMap, or the file that is no YAML. */
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
  const fix = 'genai-obs install   # writes the rules again';
  if (!ruleMap(facts))
    return fail(`ConfigMap ${MAP} does not exist: no rules, no alerts`, { cause: 'it was deleted', fix, object });
  const { rules, groups, broken } = writtenRules(facts);
  if (broken)
    return fail(`${MAP} holds a file that is no YAML, ${broken}`, {
      cause: 'it was edited by hand; Prometheus refuses it at the next start or reload',
      fix,
      object,
    });
  const faulty = rules
    .map((rule) => ({ rule, problem: rule.expr ? syntaxProblem(rule.expr, 'promql') : 'no expression' }))
    .find(({ problem }) => problem);
  if (faulty) {
    const { rule, problem } = faulty;
    return fail(`rule ${rule.name} in ${rule.file} (group ${rule.group}) cannot be parsed: ${problem}`, {
      cause: 'a syntax error in the expression; Prometheus refuses all rules at the next start or reload',
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
      cause: 'Prometheus has not read the ConfigMap since it changed, or refused it',
      fix: `${facts.kubectlFor('prometheus')} rollout restart ${resourceOf(facts, 'prometheus')}`,
      object,
    });
  const ill = loaded.filter(({ health }) => health === 'err');
  if (ill[0])
    return fail(
      `${plural(ill.length, 'rule')} of ${loaded.length} fail: ${list(ill.map(({ name }) => name))}; ${ill[0].name}: ${oneLine(ill[0].error, 160)}`,
      {
        cause: 'the expression does not fit the data: many-to-many matching, duplicate series',
        fix: `${fix}; a rule of your own: mend it in ${MAP}`,
        object,
      },
    );
  return ok(`${groups.length} groups, ${loaded.length} rules, none fails`);
}

function reloaded(facts: Facts): Verdict {
  const data = mapAt(bodyOf(facts, 'prometheus', RUNTIME), 'data');
  const when = textAt(data, 'lastConfigTime') ?? '?';
  if (data['reloadConfigSuccess'] === true) return ok(`the configuration of ${when} is in use`);
  const logs = ifAvailable(() => facts.logs('prometheus'), {});
  const line = Object.values(logs)
    .flat()
    .filter((text) => /level=(error|ERROR)/.test(text) && /rule|config|reload/i.test(text))
    .at(-1);
  const said = line
    ? essence(line)
    : (podsOf(facts, 'prometheus')
        .map(({ metadata }) => lastError(facts, 'prometheus', metadata.name))
        .find(Boolean) ?? '');
  return fail(
    `the last reload failed, the configuration of ${when} is in use${said ? `: ${oneLine(said, 320)}` : ''}`,
    {
      cause: said
        ? 'Prometheus refuses the changed file that its log names'
        : 'Prometheus refuses the changed configuration',
      fix: `genai-obs install   # writes configuration and rules again; then: ${facts.kubectlFor('prometheus')} rollout restart ${resourceOf(facts, 'prometheus')}`,
      object: /rule/i.test(said) ? rulesObject(facts) : configObject(facts, 'prometheus'),
    },
  );
}

export const ruleChecks: Check[] = [
  prom('13', 'Rule groups are loaded and work', {
    about:
      'Every group in the ConfigMap prometheus-rules must be loaded, and every rule must be healthy. Files that are no YAML and expressions with open brackets or strings are found before Prometheus meets them at its next start and refuses to run. `genai-obs install` writes the rules again.',
    sources: '000-CFG-04, 000-OPEN-02, 003-AR-00, 004-P4-10',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03', 'PROM-14'],
    reads: [WRITTEN, RULES],
    run: rulesAreLoaded,
  }),
  prom('14', 'The last reload of the configuration worked', {
    about:
      'After a failed reload Prometheus goes on with the configuration before, so that nothing seems wrong until it is restarted and does not come up. The finding shows the line of its log that names file, group and rule.',
    sources: '001-PROM-02, 003-AR-15, 003-PROM-08',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03'],
    reads: [fact.http('prometheus', RUNTIME), fact.logs('prometheus'), fact.pods(), fact.workloads('prometheus')],
    run: reloaded,
  }),
];

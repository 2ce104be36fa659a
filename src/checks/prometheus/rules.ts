import { parse } from 'yaml';
import { ruleFiles } from '../../parts/prometheus/rulefiles.ts';
import { type Check, fail, type Look, ok, type Verdict } from '../../doctor/types.ts';
import { body, checksOf, httpOf, oneLine, plural, type Read, some } from '../helpers/define.ts';
import { arr, at, rec, str } from '../helpers/json.ts';
import { configObject, operatorOf, resourceOf } from '../helpers/place.ts';
import { podsOf, workloadKey } from '../helpers/pods.ts';
import { syntaxProblem } from '../helpers/promql.ts';
import { lastError } from '../helpers/trouble.ts';
import { essence } from '../helpers/trouble.ts';
import { tryLook } from '../helpers/define.ts';

const prom = checksOf('PROM');
const MAP = 'prometheus-rules';
export const RULES = httpOf('prometheus', '/api/v1/rules');
/** With an operator there is no ConfigMap: the rules are objects of their own kind, and what was planned stands for what was written. */
export const WRITTEN: Read = (config) => (operatorOf(config, 'prometheus') ? [] : 'k8s:ConfigMap');
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
export function rulesObject(look: Look): string {
  return operatorOf(look.config, 'prometheus')
    ? configObject(look, 'prometheus')
    : `ConfigMap ${look.place('prometheus').namespace}/${MAP}`;
}

function ruleMap(look: Look): Record<string, unknown> | undefined {
  if (operatorOf(look.config, 'prometheus')) return ruleFiles(look.config);
  const map = look.find('ConfigMap', MAP, look.place('prometheus').namespace);
  return map && rec(map, 'data');
}

/** Rules of the ConfigMap, or the file that is no YAML. */
export function writtenRules(look: Look): { rules: WrittenRule[]; groups: string[]; broken?: string } {
  const rules: WrittenRule[] = [];
  const groups: string[] = [];
  for (const [file, text] of Object.entries(ruleMap(look) ?? {})) {
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
    for (const group of arr(content, 'groups')) {
      const name = str(group, 'name') ?? '?';
      groups.push(name);
      for (const rule of arr(group, 'rules')) {
        const alert = str(rule, 'alert');
        rules.push({
          file,
          group: name,
          name: alert ?? str(rule, 'record') ?? '?',
          alert: alert !== undefined,
          expr: str(rule, 'expr') ?? '',
          labels: rec(rule, 'labels'),
          annotations: rec(rule, 'annotations'),
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

export function loadedRules(look: Look): LoadedRule[] {
  return arr(body(look, 'prometheus', '/api/v1/rules'), 'data', 'groups').flatMap((group) =>
    arr(group, 'rules').map((rule) => ({
      group: str(group, 'name') ?? '?',
      name: str(rule, 'name') ?? '?',
      alert: at(rule, 'type') === 'alerting',
      health: str(rule, 'health') ?? 'unknown',
      error: str(rule, 'lastError') ?? '',
      query: str(rule, 'query') ?? '',
    })),
  );
}

function rulesAreLoaded(look: Look): Verdict {
  const object = rulesObject(look);
  const fix = 'genai-obs install   # writes the rules again';
  if (!ruleMap(look))
    return fail(`ConfigMap ${MAP} does not exist: no rules, no alerts`, { cause: 'it was deleted', fix, object });
  const { rules, groups, broken } = writtenRules(look);
  if (broken)
    return fail(`${MAP} holds a file that is no YAML, ${broken}`, {
      cause: 'it was edited by hand; Prometheus refuses it at the next start or reload',
      fix,
      object,
    });
  const faulty = rules
    .map((rule) => ({ rule, problem: rule.expr ? syntaxProblem(rule.expr) : 'no expression' }))
    .find(({ problem }) => problem);
  if (faulty) {
    const { rule, problem } = faulty;
    return fail(`rule ${rule.name} in ${rule.file} (group ${rule.group}) cannot be parsed: ${problem}`, {
      cause: 'a syntax error in the expression; Prometheus refuses all rules at the next start or reload',
      fix,
      object,
    });
  }
  const loaded = loadedRules(look);
  const missing = [...new Set(groups)].filter(
    (group) => !loaded.some((rule) => rule.group === group) && rules.some((rule) => rule.group === group),
  );
  if (missing.length)
    return fail(`${missing.length} of ${groups.length} rule groups are not loaded: ${some(missing)}`, {
      cause: 'Prometheus has not read the ConfigMap since it changed, or refused it',
      fix: `${look.kubectlFor('prometheus')} rollout restart ${resourceOf(look, 'prometheus')}`,
      object,
    });
  const ill = loaded.filter(({ health }) => health === 'err');
  if (ill[0])
    return fail(
      `${plural(ill.length, 'rule')} of ${loaded.length} fail: ${some(ill.map(({ name }) => name))}; ${ill[0].name}: ${oneLine(ill[0].error, 160)}`,
      {
        cause: 'the expression does not fit the data: many-to-many matching, duplicate series',
        fix: `${fix}; a rule of your own: mend it in ${MAP}`,
        object,
      },
    );
  return ok(`${groups.length} groups, ${loaded.length} rules, none fails`);
}

function reloaded(look: Look): Verdict {
  const data = rec(body(look, 'prometheus', RUNTIME), 'data');
  const when = str(data, 'lastConfigTime') ?? '?';
  if (data['reloadConfigSuccess'] === true) return ok(`the configuration of ${when} is in use`);
  const logs = tryLook(() => look.fact<Record<string, string[]>>('logs:prometheus'), {});
  const line = Object.values(logs)
    .flat()
    .filter((text) => /level=(error|ERROR)/.test(text) && /rule|config|reload/i.test(text))
    .at(-1);
  const said = line
    ? essence(line)
    : (podsOf(look, 'prometheus')
        .map(({ metadata }) => lastError(look, 'prometheus', metadata.name))
        .find(Boolean) ?? '');
  return fail(
    `the last reload failed, the configuration of ${when} is in use${said ? `: ${oneLine(said, 320)}` : ''}`,
    {
      cause: said
        ? 'Prometheus refuses the changed file that its log names'
        : 'Prometheus refuses the changed configuration',
      fix: `genai-obs install   # writes configuration and rules again; then: ${look.kubectlFor('prometheus')} rollout restart ${resourceOf(look, 'prometheus')}`,
      object: /rule/i.test(said) ? rulesObject(look) : configObject(look, 'prometheus'),
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
    reads: [httpOf('prometheus', RUNTIME), 'logs:prometheus', 'k8s:Pod', workloadKey('prometheus')],
    run: reloaded,
  }),
];

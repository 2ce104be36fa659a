import { stringify } from 'yaml';
import type { Config } from '../../profile/schema.ts';
import type { RuleGroup } from './rules.ts';

/** ConfigMap with Loki's alert rules, and its mount path: without tenants Loki reads the folder `fake`. */
export const LOKI_RULES = 'loki-rules';
export const LOKI_RULES_PATH = '/etc/loki-rules/fake';

/** Maps namespaces to teams, for the joins of templates/rules/teams.yaml. */
export function teamRules(config: Config): RuleGroup[] {
  if (config.teams.length === 0) return [];
  return [
    {
      name: 'team-namespaces',
      rules: config.teams.map(({ name, namespace }) => ({
        record: 'genai_obs:team_namespace',
        expr: 'vector(1)',
        labels: { namespace, team: name },
      })),
    },
  ];
}

/** Undefined without teams. Rules read events, because no container log reports an exceeded quota. */
export function lokiRules(config: Config): Record<string, string> | undefined {
  if (config.teams.length === 0) return undefined;
  const rules = config.teams.map(({ name, namespace }) => ({
    alert: 'QuotaRejected',
    expr:
      `sum by (k8s_namespace_name) (count_over_time({service_name="kubernetes-events", ` +
      `k8s_namespace_name="${namespace}"} |= "exceeded quota" [5m])) > 0`,
    labels: { severity: 'warning', category: 'infrastructure', team: name, namespace },
    annotations: {
      summary: `Pods of team ${name} are rejected: the quota of namespace ${namespace} is exhausted`,
      description:
        '{{ $value }} event(s) in 5 minutes report "exceeded quota". ' +
        'Running pods are not affected; new pods, also of a rollout, do not start.',
      dashboard_uid: 'llm-platform-teams',
      runbook: 'docs/runbooks.md#quotarejected',
    },
  }));
  return { 'teams.yaml': stringify({ groups: [{ name: 'team-events', interval: '1m', rules }] }) };
}

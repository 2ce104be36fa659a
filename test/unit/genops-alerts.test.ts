import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboards } from '../../src/parts/grafana/dashboards.ts';
import { listAt, mapAt } from '../../src/core/json.ts';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import type { RuleGroup } from '../../src/parts/prometheus/rules.ts';
import { ObsError } from '../../src/core/errors.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { Config } from '../../src/profile/schema.ts';
import { quickstart } from './support/config.ts';
import { configured, genops, releaseOf, stack, steps } from './support/genops.ts';

const alerts = (config: Config): Map<string, { expr: string; labels: Record<string, string> }> =>
  new Map(
    Object.values(ruleFiles(config))
      .flatMap((text) => (parse(text) as { groups: RuleGroup[] }).groups.flatMap(({ rules }) => rules))
      .flatMap((rule) => (rule.alert ? [[rule.alert, { expr: rule.expr, labels: rule.labels ?? {} }] as const] : [])),
  );

describe('alerts and dashboards of GenOps', () => {
  const all = alerts(genops());

  it('are the twelve of the guide, and none without GenOps', () => {
    const names = [
      'BudgetThreshold80Percent',
      'BudgetThreshold95Percent',
      'BudgetExhausted',
      'CostAnomaly',
      'PolicyViolationsDetected',
      'HighPolicyViolationRate',
      'HighLatency',
      'HighErrorRate',
      'LowQualityScore',
      'GenOpsPodDown',
      'HighMemoryUsage',
      'OTelCollectorDown',
    ];
    expect(names.filter((name) => !all.has(name))).toEqual([]);
    expect([...alerts(quickstart()).keys()].filter((name) => names.includes(name))).toEqual(['OTelCollectorDown']);
  });

  it('can fire, and only for their condition', () => {
    expect(all.get('CostAnomaly')?.expr).not.toContain('genops_cost_total_usd');
    expect(all.get('GenOpsPodDown')?.expr).toContain('namespace="genops-system", phase=~"Failed|Pending|Unknown"');
    expect(all.get('HighMemoryUsage')?.expr).toContain(
      'kube_pod_container_resource_limits{namespace="genops-system", resource="memory"}',
    );
    expect(all.get('OTelCollectorDown')?.expr).toContain('absent(up{job="otel-collector"})');
    expect(JSON.stringify([...all.values()])).not.toMatch(/container_spec_|GENOPS_APPS/);
  });

  it('compare spending with the budget of each team and of all', () => {
    const text =
      ruleFiles(genops({ genai: { genops: { budgets: { search: 25.5 } } } }))['prices-and-budget.yaml'] ?? '';
    const group = (parse(text) as { groups: RuleGroup[] }).groups.find(({ name }) => name === 'genops-budgets');
    expect(group?.rules).toEqual([
      { record: 'genops:budget_usd', expr: 'vector(1000)', labels: { team: 'all' } },
      { record: 'genops:budget_usd', expr: 'vector(25.5)', labels: { team: 'search' } },
    ]);
  });

  it('never record a metric name that an application exposes', () => {
    const aliases = (parse(ruleFiles(genops())['genops-aliases.yaml'] ?? '') as { groups: RuleGroup[] }).groups
      .flatMap(({ rules }) => rules)
      .filter(({ record }) => record?.startsWith('genops_'));
    expect(aliases.length).toBeGreaterThan(8);
    for (const { record, expr } of aliases) expect(expr, record).toContain(`unless on () group(${record}{job!=""})`);
  });

  it('come with three dashboards with fixed uids and known units', () => {
    const boards = Object.keys(dashboards(genops()));
    expect(boards).toEqual(
      expect.arrayContaining(['genops-cost.json', 'genops-policy.json', 'genops-performance.json']),
    );
    expect(Object.keys(dashboards(quickstart())).filter((name) => name.startsWith('genops'))).toEqual([]);
    expect(JSON.stringify(dashboards(genops()))).not.toMatch(/currencyUSD\/s|tokens\/s/);
  });
});

describe('Alertmanager', () => {
  const notify = {
    slack: { secret: 'slack', channel: '#genops-alerts', channels: { 'cost-critical': '#genops-cost-critical' } },
    pagerduty: { secret: 'pagerduty' },
    email: {
      to: 'platform@example.org',
      from: 'alerts@example.org',
      smarthost: 'smtp.example.org:587',
      username: 'alerts',
      secret: 'smtp',
    },
  };
  const config = (over: JsonMap = {}): JsonMap => configured('alertmanager', genops({ alertmanager: over }));
  const receiver = (from: JsonMap, name: string): JsonMap =>
    (listAt(from, 'receivers') as JsonMap[]).find((one) => one['name'] === name) ?? {};

  it('is passed to the operator complete: no route of the chart remains without a receiver', () => {
    const { values } = releaseOf(steps, 'kube-prometheus-stack');
    const names = listAt(values, 'alertmanager', 'config', 'receivers').map((one) => (one as JsonMap)['name']);
    const routes = [
      mapAt(values, 'alertmanager', 'config', 'route'),
      ...listAt(values, 'alertmanager', 'config', 'route', 'routes'),
    ] as JsonMap[];
    expect(routes.length).toBeGreaterThan(5);
    expect(routes.filter((route) => !names.includes(route['receiver'] ?? ''))).toEqual([]);
    expect(
      mapAt(stack(genops({ genai: { genops: { enabled: false } } })).values, 'alertmanager', 'config', 'route')[
        'routes'
      ],
    ).toBeNull();
  });

  it('has no integration without its Secret, and mail only with a smarthost', () => {
    expect(JSON.stringify(config())).not.toMatch(/_configs/);
    expect(() => config({ notify: { email: { to: 'a@b', from: 'c@d' } } })).toThrow(ObsError);
    expect(() => config({ notify: { slack: { channel: '#x' } } })).toThrow(ObsError);
    expect(configured('alertmanager', quickstart())).not.toHaveProperty('route.routes');
  });

  it('reads keys from files at the mount path of each chart, and uses matchers', () => {
    const text = JSON.stringify(config({ notify }));
    expect(text).toContain('"routing_key_file":"/etc/alertmanager/secrets/pagerduty/routing-key"');
    expect(text).not.toMatch(/"match"|"match_re"|service_key|"api_url"/);
    const own = genops({ alertmanager: { chart: 'genai-obs', notify } });
    expect(JSON.stringify(configured('alertmanager', own))).toContain('/etc/secrets/pagerduty/routing-key');
    expect(releaseOf(buildPlan(own), 'alertmanager').values['secretFiles']).toContainEqual({
      secret: 'pagerduty',
      key: 'routing-key',
      path: 'pagerduty/routing-key',
    });
    expect(
      mapAt(stack(genops({ alertmanager: { notify } })).values, 'alertmanager', 'alertmanagerSpec')['secrets'],
    ).toEqual(['slack', 'pagerduty', 'smtp']);
    const upstream = releaseOf(
      buildPlan(genops({ alertmanager: { chart: 'alertmanager', notify } })),
      'alertmanager',
    ).values;
    expect(upstream['extraSecretMounts']).toContainEqual({
      name: 'secret-smtp',
      secretName: 'smtp',
      mountPath: '/etc/secrets/smtp',
      readOnly: true,
    });
  });

  it('pages and sends mail for exhausted budgets, and posts in their channel', () => {
    const one = receiver(config({ notify }), 'cost-critical');
    expect(one).toMatchObject({
      slack_configs: [{ channel: '#genops-cost-critical' }],
      pagerduty_configs: [{ severity: 'critical' }],
      email_configs: [{ to: 'platform@example.org' }],
    });
    expect(receiver(config({ notify }), 'cost-warning')).not.toHaveProperty('pagerduty_configs');
  });

  it('inhibits by labels that both alerts have', () => {
    expect(listAt(config(), 'inhibit_rules')).toMatchObject([
      { equal: ['category', 'team'] },
      { target_matchers: ['alertname=~"BudgetThreshold.*"'], equal: ['team'] },
    ]);
  });
});

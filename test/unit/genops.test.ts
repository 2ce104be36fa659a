import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { datasources } from '../../src/components/datasources.ts';
import { dashboards } from '../../src/components/dashboards.ts';
import { listAt, mapAt } from '../../src/components/edit.ts';
import { COMPONENTS } from '../../src/components/index.ts';
import { inputOf } from '../../src/components/input.ts';
import { scrapeConfig } from '../../src/components/monitoring.ts';
import { ruleFiles } from '../../src/components/rulefiles.ts';
import type { RuleGroup } from '../../src/components/rules.ts';
import { OWN_LABEL } from '../../src/components/upstream.ts';
import { ObsError } from '../../src/core/errors.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan.ts';
import type { ReleaseStep, Step } from '../../src/engine/types.ts';
import { extended, profileLayer, resolve } from '../../src/profile/load.ts';
import type { ComponentId, Config } from '../../src/profile/schema.ts';
import { quickstart } from './support/config.ts';

/** Numbers in brackets are rows of upstream.md B.4: what broke when the GenOps guide was followed as it stands. */

const genops = (over: JsonMap = {}): Config => resolve([...extended(profileLayer('genops')), { source: 'test', data: over }]);
const steps = buildPlan(genops());
const stepOf = (all: Step[], id: string): Step => {
  const step = all.find((one) => one.id === id);
  if (!step) throw new Error(`no step ${id}`);
  return step;
};
const releaseOf = (all: Step[], id: string): ReleaseStep => stepOf(all, `release/${id}`) as ReleaseStep;
const stack = (config: Config): ReleaseStep => releaseOf(buildPlan(config), 'kube-prometheus-stack');
const specOf = (config: Config): JsonMap => mapAt(stack(config).values, 'prometheus', 'prometheusSpec');
const objectsOf = (id: string): KubeObject[] => {
  const step = stepOf(steps, id);
  return step.kind === 'objects' ? step.objects : [];
};
function configured(id: ComponentId, config: Config): JsonMap {
  const component = COMPONENTS.find((one) => one.id === id);
  if (!component) throw new Error(`no component ${id}`);
  return inputOf(config, component).configuration;
}
const gateway = (over: JsonMap = {}): JsonMap => configured('opentelemetry-collector', genops(over));
const pipeline = (config: JsonMap, id: string, side: string): unknown[] => listAt(config, 'service', 'pipelines', id, side);
const alerts = (config: Config): Map<string, { expr: string; labels: Record<string, string> }> =>
  new Map(
    Object.values(ruleFiles(config))
      .flatMap((text) => (parse(text) as { groups: RuleGroup[] }).groups.flatMap(({ rules }) => rules))
      .flatMap((rule) => (rule.alert ? [[rule.alert, { expr: rule.expr, labels: rule.labels ?? {} }] as const] : [])),
  );

describe('kube-prometheus-stack', () => {
  it('is one release `monitoring` for its three components, after its definitions and their claims', () => {
    const step = releaseOf(steps, 'kube-prometheus-stack');
    expect(step).toMatchObject({ release: 'monitoring', namespace: 'monitoring', chart: { source: 'upstream', name: 'kube-prometheus-stack' } });
    expect(step.needs).toContain('crds/kube-prometheus-stack');
    expect(step.needs.filter((id) => id.startsWith('claim/'))).toHaveLength(2);
    expect(step.workloads.map(({ name }) => name)).toEqual([
      'monitoring-kube-prometheus-operator',
      'monitoring-prometheus-node-exporter',
      'prometheus-monitoring-kube-prometheus-prometheus',
      'alertmanager-monitoring-kube-prometheus-alertmanager',
      'monitoring-kube-state-metrics',
    ]);
    expect(steps.map(({ id }) => id)).not.toContain('release/prometheus');
  });

  it('takes OTLP and remote write (8), whatever monitors the cluster has (43), and late samples', () => {
    expect(specOf(genops())).toMatchObject({
      enableOTLPReceiver: true,
      enableRemoteWriteReceiver: true,
      enableAdminAPI: true,
      retention: '30d',
      tsdb: { outOfOrderTimeWindow: '30m' },
      ruleSelectorNilUsesHelmValues: false,
      serviceMonitorSelectorNilUsesHelmValues: false,
      podMonitorSelectorNilUsesHelmValues: false,
      scrapeConfigSelectorNilUsesHelmValues: false,
    });
    expect(listAt(specOf(genops()), 'otlp', 'promoteResourceAttributes')).toContain('genops.team');
  });

  it('is ours by its values, without a second key part-of in any object', () => {
    const { values } = releaseOf(steps, 'kube-prometheus-stack');
    expect(values['nameOverride']).toBe('genai-obs');
    expect(JSON.stringify(values)).toContain(JSON.stringify(OWN_LABEL).slice(1, -1));
    expect(values).not.toHaveProperty('commonLabels');
  });

  it('has claims that its StatefulSets take: template and ordinal give the name that was made before', () => {
    for (const [id, template] of [
      ['prometheus', mapAt(specOf(genops()), 'storageSpec', 'volumeClaimTemplate', 'metadata')],
      ['alertmanager', mapAt(stack(genops()).values, 'alertmanager', 'alertmanagerSpec', 'storage', 'volumeClaimTemplate', 'metadata')],
    ] as const) {
      const workload = releaseOf(steps, 'kube-prometheus-stack').workloads.find(({ name }) => name.startsWith(id));
      expect(stepOf(steps, `claim/${String(template['name'])}-${workload?.name}-0`).id).toBeTruthy();
    }
    expect(JSON.stringify(stack(genops({ storage: { enabled: false } })).values)).not.toContain('volumeClaimTemplate');
  });

  it('scrapes no control plane and no kubelet twice unless asked; the operator makes nothing in kube-system', () => {
    const off = releaseOf(steps, 'kube-prometheus-stack').values;
    for (const part of ['kubeControllerManager', 'kubeScheduler', 'kubeProxy', 'kubeEtcd', 'kubelet', 'grafana'])
      expect(off[part], part).toEqual({ enabled: false });
    expect(mapAt(off, 'prometheusOperator')).toMatchObject({
      kubeletService: { enabled: false },
      admissionWebhooks: { enabled: false },
      tls: { enabled: false },
    });
    expect(mapAt(off, 'defaultRules', 'rules')).toMatchObject({ kubernetesApps: true, etcd: false, general: false });
    const on = stack(genops({ 'kube-prometheus-stack': { controlPlane: true } })).values;
    expect(on['kubeEtcd']).toEqual({ enabled: true });
    expect(mapAt(on, 'defaultRules', 'rules')).toMatchObject({ etcd: true });
  });

  it('takes every image from the registry', () => {
    const values = stack(genops({ global: { imageRegistry: 'registry.example:5000/mirror' } })).values;
    const images = JSON.stringify(values).match(/"registry":"[^"]+"/g) ?? [];
    expect(images.length).toBeGreaterThan(5);
    expect(images.filter((one) => !one.includes('registry.example:5000'))).toEqual([]);
  });

  it('sends to an Alertmanager of another chart, and to none that is off', () => {
    expect(specOf(genops())).not.toHaveProperty('alertingEndpoints');
    expect(specOf(genops({ alertmanager: { chart: 'genai-obs' } }))['alertingEndpoints']).toMatchObject([
      { name: 'alertmanager', namespace: 'monitoring', port: 'http' },
    ]);
    expect(mapAt(stack(genops({ alertmanager: { enabled: false } })).values, 'alertmanager')).toEqual({ enabled: false });
  });
});

describe('rules and jobs as objects (14)', () => {
  it('are what our own chart has in files, labelled ours', () => {
    const objects = objectsOf('rules');
    expect(stepOf(steps, 'rules').needs).toContain('crds/kube-prometheus-stack');
    expect([...new Set(objects.map(({ kind }) => kind))]).toEqual(['PrometheusRule', 'ScrapeConfig']);
    expect(objects.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] !== 'genai-obs')).toEqual([]);
    const files = Object.values(ruleFiles(genops())).map((text) => parse(text) as unknown);
    expect(objects.filter(({ kind }) => kind === 'PrometheusRule').map((object) => object['spec'])).toEqual(files);
    const jobs = listAt(configured('prometheus', genops()), 'scrape_configs').map((job) => (job as JsonMap)['job_name']);
    expect(objects.filter(({ kind }) => kind === 'ScrapeConfig').map((object) => mapAt(object['spec'] as JsonMap)['jobName'])).toEqual(jobs);
  });

  it('are spelled as the operator spells them', () => {
    const job = {
      job_name: 'x',
      honor_labels: true,
      static_configs: [{ targets: ['a:1'], labels: { some_label: 'y' } }],
      kubernetes_sd_configs: [{ role: 'pod', namespaces: { own_namespace: true }, selectors: [{ role: 'pod', label: 'a=b' }] }],
      relabel_configs: [{ source_labels: ['__meta_x'], target_label: 'y_z', replacement: '$1:$2' }],
      metric_relabel_configs: [{ regex: 'customer_id', action: 'labeldrop' }],
    };
    expect(scrapeConfig(job)).toEqual({
      jobName: 'x',
      honorLabels: true,
      staticConfigs: [{ targets: ['a:1'], labels: { some_label: 'y' } }],
      kubernetesSDConfigs: [{ role: 'Pod', namespaces: { ownNamespace: true }, selectors: [{ role: 'Pod', label: 'a=b' }] }],
      relabelings: [{ sourceLabels: ['__meta_x'], targetLabel: 'y_z', replacement: '$1:$2' }],
      metricRelabelings: [{ regex: 'customer_id', action: 'labeldrop' }],
    });
  });

  it('find the collectors where they are', () => {
    const job = objectsOf('rules').find(({ metadata }) => metadata.name === 'genai-obs-otel-collector');
    expect(JSON.stringify(job?.['spec'])).toContain('"names":["genops-system"]');
  });
});

describe('the gateway', () => {
  it('has one path for metrics and renames nothing (7, 12, 13)', () => {
    expect(Object.keys(mapAt(gateway(), 'exporters')).toSorted()).toEqual(['otlp_grpc/jaeger', 'otlp_http/loki', 'otlp_http/prometheus']);
    expect(JSON.stringify(gateway())).toContain('http://monitoring-kube-prometheus-prometheus.monitoring.svc:9090/api/v1/otlp');
  });

  it('answers its probes (9), stores logs (10), and sends traces to Service jaeger by OTLP (6)', () => {
    expect(mapAt(gateway(), 'extensions', 'health_check')).toEqual({ endpoint: '0.0.0.0:13133' });
    expect(pipeline(gateway(), 'logs', 'exporters')).toEqual(['otlp_http/loki']);
    expect(mapAt(gateway(), 'exporters', 'otlp_grpc/jaeger')).toMatchObject({ endpoint: 'jaeger.monitoring.svc:4317', tls: { insecure: true } });
    expect(pipeline(gateway({ tempo: { enabled: true } }), 'traces', 'exporters')).toEqual(['otlp_grpc/tempo']);
    expect(JSON.stringify(gateway({ jaeger: { enabled: false } }))).not.toMatch(/jaeger|tempo/);
  });

  it('brings both spellings of GenOps into one before spans are counted', () => {
    const statements = listAt(gateway(), 'processors', 'transform/genops', 'trace_statements').join('\n');
    for (const [to, from] of [
      ['genops.cost.total', 'genops.cost_usd'],
      ['genops.tokens.input', 'genops.tokens_input'],
      ['genops.tokens.output', 'genops.tokens_output'],
    ])
      expect(statements).toContain(`set(span.attributes["${to}"], span.attributes["${from}"])`);
    expect(pipeline(gateway(), 'traces/in', 'processors').at(-1)).toBe('transform/genops');
    expect(JSON.stringify(configured('opentelemetry-collector', quickstart()))).not.toContain('genops.cost');
  });

  it('gives platforms a copy, with keys that only the environment holds (47, 48)', () => {
    const over = {
      exporters: {
        honeycomb: { enabled: true },
        datadog: { enabled: true },
        splunk: { enabled: true, endpoint: 'https://hec.example:8088/services/collector' },
      },
    };
    const config = gateway(over);
    expect(mapAt(config, 'exporters', 'otlp_grpc/honeycomb', 'headers')).toEqual({ 'x-honeycomb-team': '${env:HONEYCOMB_API_KEY}' });
    expect(pipeline(config, 'traces', 'exporters')).toEqual(['otlp_grpc/jaeger', 'datadog', 'otlp_grpc/honeycomb']);
    expect(pipeline(config, 'metrics', 'exporters')).toContain('datadog');
    expect(pipeline(config, 'logs', 'exporters')).toContain('splunk_hec');
    const { values } = releaseOf(buildPlan(genops(over)), 'opentelemetry-collector');
    expect(values['extraEnv']).toContainEqual({ name: 'HONEYCOMB_API_KEY', valueFrom: { secretKeyRef: { name: 'honeycomb', key: 'api-key' } } });
    expect(() => genops({ exporters: { splunk: { enabled: true } } })).toThrow(ObsError);
    // Traces have a way out even without a store of ours.
    expect(pipeline(gateway({ ...over, jaeger: { enabled: false } }), 'traces', 'exporters')).toEqual(['datadog', 'otlp_grpc/honeycomb']);
  });
});

describe('tail sampling', () => {
  const tail = (over: JsonMap = {}): JsonMap => gateway({ genai: { sampling: { mode: 'tail', rate: 0.01 } }, ...over });

  it('lets the spans of a trace meet in one replica, and has no head sampler before it (27)', () => {
    expect(pipeline(tail(), 'traces/in', 'exporters')).toEqual(['spanmetrics', 'loadbalancing']);
    expect(mapAt(tail(), 'exporters', 'loadbalancing')).toMatchObject({
      routing_key: 'traceID',
      resolver: { dns: { hostname: 'opentelemetry-collector-headless', port: '14317' } },
    });
    expect(pipeline(tail(), 'traces', 'receivers')).toEqual(['otlp/sampling']);
    expect(pipeline(tail(), 'traces', 'processors')).toEqual(['memory_limiter', 'tail_sampling', 'batch']);
    expect(JSON.stringify(tail())).not.toContain('probabilistic_sampler');
    expect(releaseOf(buildPlan(genops({ genai: { sampling: { mode: 'tail' } } })), 'opentelemetry-collector').values['peerPort']).toBe(14317);
  });

  it('counts before it decides (28)', () => {
    expect(pipeline(tail(), 'traces/in', 'exporters')).toContain('spanmetrics');
    expect(pipeline(tail(), 'traces', 'exporters')).toEqual(['otlp_grpc/jaeger']);
  });

  it('keeps what 003-SAMP-03 to 003-SAMP-08 want; costs are compared as numbers with a fraction, in both spellings (26)', () => {
    const policies = listAt(tail(), 'processors', 'tail_sampling', 'policies') as { name: string; type: string; [key: string]: unknown }[];
    expect(policies.map(({ type }) => type)).toEqual([
      'status_code',
      'latency',
      'ottl_condition',
      'ottl_condition',
      'string_attribute',
      'ottl_condition',
      'probabilistic',
    ]);
    expect(policies.find(({ name }) => name === 'expensive')).toMatchObject({
      ottl_condition: { span: ['attributes["genops.cost.total"] >= 1.0', 'attributes["genops.cost_usd"] >= 1.0'] },
    });
    expect(policies.at(-1)).toMatchObject({ probabilistic: { sampling_percentage: 1 } });
  });

  it('meets nobody where nobody stores traces', () => {
    const alone = tail({ jaeger: { enabled: false } });
    expect(JSON.stringify(mapAt(alone, 'service', 'pipelines'))).not.toMatch(/loadbalancing|tail_sampling|otlp\/sampling/);
    expect(mapAt(alone, 'exporters')).not.toHaveProperty('loadbalancing');
  });
});

describe('Jaeger', () => {
  const values = (over: JsonMap = {}): JsonMap => releaseOf(buildPlan(genops({ jaeger: over })), 'jaeger').values;

  it('has its storage in the only place where the chart reads it (4), and answers probes from outside', () => {
    expect(mapAt(values(), 'userconfig', 'extensions')).toMatchObject({
      healthcheckv2: { http: { endpoint: '0.0.0.0:13133' } },
      jaeger_storage: { backends: { store: { memory: { max_traces: 50_000 } } } },
    });
    const search = values({ storage: 'opensearch', endpoint: 'http://opensearch-cluster-master:9200', secret: 'opensearch' });
    expect(mapAt(search, 'userconfig', 'extensions', 'jaeger_storage', 'backends', 'store')).toMatchObject({
      opensearch: { server_urls: ['http://opensearch-cluster-master:9200'], auth: { basic: { password: '${env:OPENSEARCH_PASSWORD}' } } },
    });
    expect(JSON.stringify(search)).toContain('{"secretKeyRef":{"name":"opensearch","key":"password"}}');
    expect(() => values({ storage: 'opensearch' })).toThrow(ObsError);
  });

  it('rolls its pod when its configuration changes', () => {
    const hash = (over: JsonMap): unknown => listAt(values(over), 'jaeger', 'extraEnv').find((one) => (one as JsonMap)['name'] === 'CONFIG_HASH');
    expect(hash({ maxTraces: 10 })).not.toEqual(hash({}));
  });

  it('is a datasource, and where links to traces lead; with Tempo they lead there', () => {
    const of = (over: JsonMap): JsonMap[] => listAt(datasources(genops(over)), 'datasources') as JsonMap[];
    expect(of({}).map(({ uid, url }) => [uid, url])).toContainEqual(['jaeger', 'http://jaeger:16686']);
    expect(JSON.stringify(of({}))).not.toContain('tempo');
    expect(JSON.stringify(of({}).find(({ uid }) => uid === 'loki'))).toContain('"datasourceUid":"jaeger"');
    expect(JSON.stringify(of({ tempo: { enabled: true } }).find(({ uid }) => uid === 'loki'))).toContain('"datasourceUid":"tempo"');
  });
});

describe('alerts and dashboards of GenOps', () => {
  const all = alerts(genops());

  it('are the twelve of the guide; without GenOps none of them is there', () => {
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

  it('can fire, and do so for a reason (18, 30, 31, 32)', () => {
    expect(all.get('CostAnomaly')?.expr).not.toContain('genops_cost_total_usd');
    expect(all.get('GenOpsPodDown')?.expr).toContain('namespace="genops-system", phase=~"Failed|Pending|Unknown"');
    expect(all.get('HighMemoryUsage')?.expr).toContain('kube_pod_container_resource_limits{namespace="genops-system", resource="memory"}');
    expect(all.get('OTelCollectorDown')?.expr).toContain('absent(up{job="otel-collector"})');
    expect(JSON.stringify([...all.values()])).not.toMatch(/container_spec_|GENOPS_APPS/);
  });

  it('hold spending against the budget of each team and of all', () => {
    const text = ruleFiles(genops({ genai: { genops: { budgets: { search: 25.5 } } } }))['prices-and-budget.yaml'] ?? '';
    const group = (parse(text) as { groups: RuleGroup[] }).groups.find(({ name }) => name === 'genops-budgets');
    expect(group?.rules).toEqual([
      { record: 'genops:budget_usd', expr: 'vector(1000)', labels: { team: 'all' } },
      { record: 'genops:budget_usd', expr: 'vector(25.5)', labels: { team: 'search' } },
    ]);
  });

  it('never record a name beside the application that exposes it', () => {
    const aliases = (parse(ruleFiles(genops())['genops-aliases.yaml'] ?? '') as { groups: RuleGroup[] }).groups
      .flatMap(({ rules }) => rules)
      .filter(({ record }) => record?.startsWith('genops_'));
    expect(aliases.length).toBeGreaterThan(8);
    for (const { record, expr } of aliases) expect(expr, record).toContain(`unless on () group(${record}{job!=""})`);
  });

  it('come with three dashboards of fixed uid (21) and units that Grafana knows (20)', () => {
    const boards = Object.keys(dashboards(genops()));
    expect(boards).toEqual(expect.arrayContaining(['genops-cost.json', 'genops-policy.json', 'genops-performance.json']));
    expect(Object.keys(dashboards(quickstart())).filter((name) => name.startsWith('genops'))).toEqual([]);
    expect(JSON.stringify(dashboards(genops()))).not.toMatch(/currencyUSD\/s|tokens\/s/);
  });
});

describe('Alertmanager', () => {
  const notify = {
    slack: { secret: 'slack', channel: '#genops-alerts', channels: { 'cost-critical': '#genops-cost-critical' } },
    pagerduty: { secret: 'pagerduty' },
    email: { to: 'platform@example.org', from: 'alerts@example.org', smarthost: 'smtp.example.org:587', username: 'alerts', secret: 'smtp' },
  };
  const config = (over: JsonMap = {}): JsonMap => configured('alertmanager', genops({ alertmanager: over }));
  const receiver = (from: JsonMap, name: string): JsonMap => (listAt(from, 'receivers') as JsonMap[]).find((one) => one['name'] === name) ?? {};

  it('is given to the operator whole: no route of the chart is left that leads nowhere (34)', () => {
    const { values } = releaseOf(steps, 'kube-prometheus-stack');
    const names = listAt(values, 'alertmanager', 'config', 'receivers').map((one) => (one as JsonMap)['name']);
    const routes = [mapAt(values, 'alertmanager', 'config', 'route'), ...listAt(values, 'alertmanager', 'config', 'route', 'routes')] as JsonMap[];
    expect(routes.length).toBeGreaterThan(5);
    expect(routes.filter((route) => !names.includes(route['receiver'] ?? ''))).toEqual([]);
    expect(mapAt(stack(genops({ genai: { genops: { enabled: false } } })).values, 'alertmanager', 'config', 'route')['routes']).toBeNull();
  });

  it('has no integration without its Secret, and mail only with a smarthost (35)', () => {
    expect(JSON.stringify(config())).not.toMatch(/_configs/);
    expect(() => config({ notify: { email: { to: 'a@b', from: 'c@d' } } })).toThrow(ObsError);
    expect(() => config({ notify: { slack: { channel: '#x' } } })).toThrow(ObsError);
    expect(configured('alertmanager', quickstart())).not.toHaveProperty('route.routes');
  });

  it('reads keys from files (36) by modern matchers (38), where each chart mounts them', () => {
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
    expect(mapAt(stack(genops({ alertmanager: { notify } })).values, 'alertmanager', 'alertmanagerSpec')['secrets']).toEqual(['slack', 'pagerduty', 'smtp']);
    const upstream = releaseOf(buildPlan(genops({ alertmanager: { chart: 'alertmanager', notify } })), 'alertmanager').values;
    expect(upstream['extraSecretMounts']).toContainEqual({ name: 'secret-smtp', secretName: 'smtp', mountPath: '/etc/secrets/smtp', readOnly: true });
  });

  it('pages and mails for spent budgets, in their channel', () => {
    const one = receiver(config({ notify }), 'cost-critical');
    expect(one).toMatchObject({
      slack_configs: [{ channel: '#genops-cost-critical' }],
      pagerduty_configs: [{ severity: 'critical' }],
      email_configs: [{ to: 'platform@example.org' }],
    });
    expect(receiver(config({ notify }), 'cost-warning')).not.toHaveProperty('pagerduty_configs');
  });

  it('mutes what can be muted: equal labels that both sides have (37)', () => {
    expect(listAt(config(), 'inhibit_rules')).toMatchObject([
      { equal: ['category', 'team'] },
      { target_matchers: ['alertname=~"BudgetThreshold.*"'], equal: ['team'] },
    ]);
  });
});

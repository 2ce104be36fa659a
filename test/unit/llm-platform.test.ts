import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { at, listAt, mapAt } from '../../src/core/json.ts';
import type { Rule, RuleGroup } from '../../src/parts/prometheus/rules.ts';
import type { Json, JsonMap, KubeObject } from '../../src/core/types.ts';
import { profile, quickstart } from './support/config.ts';
import { inside, planOf } from './support/plan.ts';

const plan = planOf(profile('llm-platform'));
const TEAMS = ['platform', 'quant', 'ft', 'eval', 'llm-baseline'];

function dataOf(objects: KubeObject[]): Record<string, string> {
  return (objects[0]?.['data'] ?? {}) as Record<string, string>;
}

const groupsOf = (files: Record<string, string>): RuleGroup[] =>
  Object.values(files).flatMap((text) => (parse(text) as { groups: RuleGroup[] }).groups);
const rules: Rule[] = groupsOf(dataOf(plan.objects('rules'))).flatMap((group) => group.rules);
const alert = (name: string): Rule => {
  const found = rules.find((rule) => rule.alert === name);
  if (!found) throw new Error(`no alert ${name}`);
  return found;
};

describe('teams', () => {
  it('are watched only: no object is created in their namespaces', () => {
    const places = plan.steps.flatMap((step) => {
      if (step.kind === 'objects')
        return step.objects.map((object) => object.metadata.namespace ?? object.metadata.name);
      return step.kind === 'release' ? [step.namespace] : [];
    });
    expect([...new Set(places)]).toEqual(['observability']);
  });

  it('each namespace belongs to one team, in one series', () => {
    const mapping = rules.filter((rule) => rule.record === 'genai_obs:team_namespace');
    expect(mapping.map(({ expr, labels }) => [expr, labels?.['team'], labels?.['namespace']])).toEqual(
      TEAMS.map((name) => ['vector(1)', name, name]),
    );
  });

  it('memory against quota counts only containers, and only the hard limit', () => {
    const ratio =
      rules.find((rule) => rule.record === 'genai_obs:team_memory_quota:ratio')?.expr.replaceAll(/\s+/g, ' ') ?? '';
    expect(ratio).toContain('container_memory_usage_bytes{container!="", image!=""}');
    expect(ratio).toContain('kube_resourcequota{resource="limits.memory", type="hard"}');
  });

  it('a pod of a finished job does not count as not ready', () => {
    expect(alert('TeamPodNotReady').expr).toMatch(
      /and on \(namespace, pod\)[^=]*kube_pod_status_phase\{phase="Running"\}\) == 1/,
    );
  });

  it('an alert on a restart reports how the container ended', () => {
    expect(alert('TeamPodRestarted').expr).toContain('group_left (reason)');
    expect(alert('TeamPodRestarted').expr).toContain('kube_pod_container_status_last_terminated_reason');
  });

  it('all alerts have severity and team', () => {
    for (const name of ['TeamPodRestarted', 'TeamPodNotReady', 'TeamMemoryQuotaHigh', 'SageMakerTimeouts'])
      expect(alert(name).labels?.['severity'], name).toMatch(/critical|warning/);
    for (const name of ['TeamPodRestarted', 'TeamPodNotReady'])
      expect(alert(name).expr, name).toContain('group_left (team) genai_obs:team_namespace');
    expect(alert('SageMakerTimeouts').expr).toContain('sagemaker_invoke_errors_total{error_type="timeout"}');
  });

  it('Loki’s ruler finds rejected pods in events, not in container logs', () => {
    const groups = groupsOf(dataOf(plan.objects('loki-rules')));
    const expressions = groups.flatMap((group) => group.rules.map((rule) => rule.expr));
    expect(expressions).toHaveLength(TEAMS.length);
    for (const [i, team] of TEAMS.entries())
      expect(expressions[i]).toContain(
        `{service_name="kubernetes-events", k8s_namespace_name="${team}"} |= "exceeded quota"`,
      );
    const ruler = plan.values('loki', 'config', 'ruler');
    expect(ruler).toMatchObject({
      alertmanager_url: 'http://alertmanager:9093',
      storage: { type: 'local', local: { directory: '/etc/loki-rules' } },
    });
    expect(plan.release('loki').values['rulesConfigMap']).toBe('loki-rules');
    expect(plan.step('release/loki').needs).toContain('loki-rules');
  });

  it('the upstream chart of Loki mounts the same rules', () => {
    const upstream = planOf(profile('llm-platform', { loki: { chart: 'loki' } }));
    expect(listAt(upstream.values('loki', 'singleBinary'), 'extraVolumes')).toContainEqual({
      name: 'rules',
      configMap: { name: 'loki-rules' },
    });
    expect(listAt(upstream.values('loki', 'singleBinary'), 'extraVolumeMounts')).toContainEqual({
      name: 'rules',
      mountPath: '/etc/loki-rules/fake',
      readOnly: true,
    });
  });

  it('without teams there are no such rules', () => {
    for (const bare of [planOf(quickstart()), planOf(profile('llm-platform', { teams: [] }))]) {
      expect(bare.ids).not.toContain('loki-rules');
      expect(bare.release('loki').values).not.toHaveProperty('rulesConfigMap');
      expect(Object.keys(dataOf(bare.objects('rules')))).not.toContain('teams.yaml');
      expect(Object.keys(dataOf(bare.objects('dashboards')))).not.toContain('llm-platform-teams.json');
    }
    expect(Object.keys(dataOf(plan.objects('dashboards')))).toContain('llm-platform-teams.json');
  });
});

describe('the profile llm-platform', () => {
  const gateway = plan.values('opentelemetry-collector', 'config');
  const pipelines = Object.entries(mapAt(gateway, 'service', 'pipelines'));

  it('has only exporters of current collectors, and sends logs by OTLP with labels chosen in Loki', () => {
    expect(Object.keys(mapAt(gateway, 'exporters')).map((name) => name.split('/')[0])).toEqual([
      'otlp_http',
      'otlp_http',
      'otlp_grpc',
    ]);
    const labels = listAt(
      plan.values('loki', 'config'),
      'limits_config',
      'otlp_config',
      'resource_attributes',
      'attributes_config',
    ).flatMap((entry) => listAt(entry, 'attributes'));
    expect(labels).toEqual(expect.arrayContaining(['service.name', 'service.namespace', 'k8s.namespace.name']));
  });

  it('has one replica for what must be counted once', () => {
    expect(plan.release('opentelemetry-collector').values['replicas']).toBe(2);
    expect(Object.keys(mapAt(gateway, 'receivers'))).toEqual(['otlp']);
    expect(Object.keys(plan.values('opentelemetry-cluster-collector', 'config', 'receivers'))).toEqual([
      'k8s_cluster',
      'k8sobjects',
    ]);
    expect(plan.release('opentelemetry-cluster-collector').values).not.toHaveProperty('replicas');
  });

  it('has the memory limiter first, batch last, and pod attributes before their readers', () => {
    for (const [id, pipeline] of pipelines.filter(([, one]) => listAt(one, 'receivers').includes('otlp'))) {
      const processors = listAt(pipeline, 'processors') as string[];
      expect(processors[0], id).toBe('memory_limiter');
      expect(processors.indexOf('k8s_attributes'), id).toBeLessThan(processors.indexOf('resource'));
      if (processors.includes('batch')) expect(processors.at(-1), id).toBe('batch');
    }
  });

  it('sets both attributes for the environment', () => {
    const keys = listAt(gateway, 'processors', 'resource', 'attributes').map((attribute) => at(attribute, 'key'));
    expect(keys).toEqual(expect.arrayContaining(['deployment.environment', 'deployment.environment.name']));
  });

  it('has Prometheus as Service prometheus:9090, with one pod per volume and remote write', () => {
    const server = plan.values('prometheus', 'server');
    expect(server).toMatchObject({
      fullnameOverride: 'prometheus',
      service: { servicePort: 9090 },
      strategy: { type: 'Recreate' },
      retention: '15d',
    });
    expect(listAt(server, 'extraFlags')).toContain('web.enable-remote-write-receiver');
  });

  it('has no removed keys for Loki and Tempo, and a retention', () => {
    const limits = plan.values('loki', 'config', 'limits_config');
    expect(limits).not.toHaveProperty('enforce_metric_name');
    expect(limits['retention_period']).toBe('168h');
    expect(plan.values('loki', 'config', 'compactor')).toMatchObject({
      retention_enabled: true,
      delete_request_store: 'filesystem',
    });
    expect(at(plan.values('tempo', 'config'), 'compactor', 'compaction', 'block_retention')).toBe('48h');
    expect(inside(plan.objects('claim/tempo-data')[0], 'spec', 'resources', 'requests', 'storage')).toBe('20Gi');
  });

  it('creates every ConfigMap and Secret that Grafana mounts before Grafana', () => {
    const values = plan.release('grafana').values;
    const mounted = [
      ...listAt(values, 'extraConfigmapMounts').map((mount) => at(mount, 'configMap')),
      ...listAt(values, 'extraContainerVolumes').flatMap((volume) => at(volume, 'configMap', 'name') ?? []),
    ];
    expect(mounted).toContain('grafana-gateway-proxy');
    const made = plan
      .release('grafana')
      .needs.flatMap((id) => plan.objects(id, 'ConfigMap').map((object): Json => object.metadata.name));
    expect(new Set(made)).toEqual(new Set(mounted));
  });

  it('uses a public Grafana image without plugins, in the cluster only', () => {
    const values = plan.release('grafana').values;
    expect(values['image']).toEqual({ registry: 'docker.io', repository: 'grafana/grafana', tag: '13.2.0' });
    expect(values).not.toHaveProperty('plugins');
    expect(at(values, 'service', 'type')).toBe('ClusterIP');
  });

  it('scrapes kube-state-metrics and cAdvisor', () => {
    const jobs = listAt(plan.values('prometheus', 'serverFiles'), 'prometheus.yml', 'scrape_configs');
    const names = jobs.map((job) => at(job, 'job_name'));
    expect(names).toEqual(expect.arrayContaining(['kube-state-metrics', 'kubernetes-cadvisor']));
    const own = planOf(quickstart({ prometheus: { cadvisor: true } })).release('prometheus').values;
    expect(own['cadvisor']).toBe(true);
    expect(listAt(own, 'config', 'scrape_configs').map((job) => at(job, 'job_name'))).toContain('kubernetes-cadvisor');
    const usual = planOf(quickstart()).release('prometheus').values;
    expect(usual).not.toHaveProperty('cadvisor');
    expect(listAt(usual, 'config', 'scrape_configs').map((job) => at(job, 'job_name'))).not.toContain(
      'kubernetes-cadvisor',
    );
  });
});

describe('proxy to the platform’s gateway', () => {
  const template = dataOf(plan.objects('gateway-proxy'))['default.conf.template'] ?? '';

  it('nginx forwards any signed-in user to the gateway, without the session cookie', () => {
    expect(template).toContain('set $gateway http://gateway.platform.svc.cluster.local:8000;');
    expect(template).toMatch(/location \/gateway-proxy\/ \{\s*auth_request /);
    expect(template).toMatch(/proxy_set_header Cookie "";/);
    expect(template).toMatch(/client_max_body_size 10m;[\s\S]*proxy_connect_timeout 10s;\s*proxy_read_timeout 120s;/);
    expect(template).not.toContain('UPSTREAM');
  });

  it('the Service targets nginx, with the upstream chart and ours', () => {
    const values = plan.release('grafana').values;
    expect(at(values, 'service', 'targetPort')).toBe(8080);
    const [container] = parse(String(values['extraContainers'])) as JsonMap[];
    expect(container).toMatchObject({
      name: 'gateway-proxy',
      securityContext: { runAsNonRoot: true, readOnlyRootFilesystem: true },
    });
    const own = planOf(profile('llm-platform', { grafana: { chart: 'genai-obs' } })).release('grafana').values;
    expect(own['targetPort']).toBe('gateway-proxy');
    expect(listAt(own, 'extraContainers').flatMap((one) => listAt(one, 'ports'))).toEqual([
      { name: 'gateway-proxy', containerPort: 8080, protocol: 'TCP' },
    ]);
  });

  it('is disabled by default', () => {
    const bare = planOf(profile('llm-platform', { grafana: { gatewayProxy: { enabled: false } } }));
    expect(bare.ids).not.toContain('gateway-proxy');
    expect(bare.release('grafana').values).not.toHaveProperty('extraContainers');
  });
});

describe('options of the platform', () => {
  it('SageMaker metrics from CloudWatch, scraped by Prometheus', () => {
    const aws = planOf(
      profile('llm-platform', {
        'cloudwatch-exporter': { enabled: true, regions: ['us-west-2'], roleArn: 'arn:aws:iam::1:role/r' },
      }),
    );
    const values = aws.release('cloudwatch-exporter').values;
    expect(at(parse(String(values['config'])) as JsonMap, 'discovery', 'jobs')).toMatchObject([
      { type: 'AWS/SageMaker', regions: ['us-west-2'] },
    ]);
    expect(at(values, 'podAnnotations', 'prometheus.io/port')).toBe('5000');
    expect(at(values, 'serviceAccount', 'annotations', 'eks.amazonaws.com/role-arn')).toBe('arn:aws:iam::1:role/r');
  });

  it('GPU metrics on nodes with GPUs only, in a namespace that allows privileged pods', () => {
    const gpus = planOf(profile('llm-platform', { 'dcgm-exporter': { enabled: true, namespace: 'gpu' } }));
    expect(gpus.values('dcgm-exporter', 'nodeSelector')).toEqual({ 'nvidia.com/gpu.present': 'true' });
    expect(gpus.objects('namespace/gpu')[0]?.metadata.labels?.['pod-security.kubernetes.io/enforce']).toBe(
      'privileged',
    );
  });
});

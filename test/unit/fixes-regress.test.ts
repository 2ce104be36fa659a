import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ChartName, PINS } from '../../src/charts/pins.ts';
import { placeOf, releaseOf } from '../../src/parts/catalog.ts';
import { dashboards } from '../../src/parts/grafana/dashboards.ts';
import { datasources } from '../../src/parts/grafana/datasources.ts';
import { at, listAt, mapAt } from '../../src/core/json.ts';
import { COMPONENTS } from '../../src/components/index.ts';
import { inputOf } from '../../src/parts/templates.ts';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import type { Rule, RuleGroup } from '../../src/parts/prometheus/rules.ts';
import { lokiRules } from '../../src/parts/prometheus/teams.ts';
import { readAsset } from '../../src/core/assets.ts';
import type { Json, JsonMap } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import { profileNames } from '../../src/profile/layers.ts';
import { COMPONENT_IDS, type ComponentId, type Config } from '../../src/profile/schema.ts';
import { FACTS_DIR, knownCharts, readFacts } from '../contracts/lib/facts.ts';
import { profile } from './support/config.ts';

/** Mistakes that must not come back in any profile. Numbers are rows of docs/fixes.md. */

const NOTIFY = {
  slack: { secret: 'slack', channel: '#alerts' },
  pagerduty: { secret: 'pagerduty' },
  email: { to: 'a@example.org', from: 'b@example.org', smarthost: 'smtp.example.org:587' },
};
/** Every profile as shipped, and with the settings that change the configuration most. */
const configs: [string, Config][] = profileNames().flatMap((name): [string, Config][] => [
  [name, profile(name)],
  [
    `${name}, tail sampling, notifying`,
    profile(name, {
      genai: { sampling: { mode: 'tail' }, genops: { enabled: true } },
      alertmanager: { notify: NOTIFY },
    }),
  ],
]);
const stored = configs.filter(([, config]) => config.prometheus.enabled);

function configured(config: Config, id: ComponentId): JsonMap {
  const component = COMPONENTS.find((one) => one.id === id);
  if (!component) throw new Error(`no component ${id}`);
  return inputOf(config, component).configuration;
}
const COLLECTORS = [
  'opentelemetry-collector',
  'opentelemetry-node-collector',
  'opentelemetry-cluster-collector',
] as const;
const collectorsOf = (config: Config): [string, JsonMap][] =>
  COLLECTORS.filter((id) => config[id].enabled).map((id) => [id, configured(config, id)]);
const groupsOf = (files: Record<string, string>): RuleGroup[] =>
  Object.values(files).flatMap((text) => (parse(text) as { groups: RuleGroup[] }).groups);
const rulesOf = (config: Config): Rule[] =>
  [...groupsOf(ruleFiles(config)), ...groupsOf(lokiRules(config) ?? {})].flatMap(({ rules }) => rules);
const kindOf = (name: string): string => name.split('/')[0] ?? name;
const processorsOf = (pipeline: Json): string[] => (listAt(pipeline, 'processors') as string[]).map(kindOf);

it('every profile except Grafana Cloud runs collectors and stores metrics', () => {
  expect(profileNames().filter((name) => !profile(name).prometheus.enabled)).toEqual(['grafana-cloud']);
  expect(stored.flatMap(([, config]) => collectorsOf(config))).toHaveLength(stored.length * COLLECTORS.length);
});

describe.each(stored)('collectors of %s', (_name, config) => {
  it('use no component that current images lack (B.2-1, B.4-6, B.4-10)', () => {
    for (const [id, one] of collectorsOf(config)) {
      const parts = ['exporters', 'receivers', 'processors', 'extensions'].flatMap((section) =>
        Object.keys(mapAt(one, section)).map(kindOf),
      );
      expect(
        parts.filter((part) =>
          /^(logging|loki|jaeger|opencensus|memory_ballast|k8sattributes|filelog|otlphttp|prometheusremotewrite)$/.test(
            part,
          ),
        ),
        id,
      ).toEqual([]);
      expect(at(one, 'service', 'telemetry', 'metrics', 'address'), id).toBeUndefined();
    }
  });

  it('keep their processors in order: limiter, pod attributes, sampling, batch (B.2-4, X-12)', () => {
    for (const [id, one] of collectorsOf(config)) {
      expect(at(one, 'processors', 'memory_limiter', 'limit_percentage'), id).toBe(75);
      for (const [name, pipeline] of Object.entries(mapAt(one, 'service', 'pipelines'))) {
        const processors = processorsOf(pipeline);
        const external = (listAt(pipeline, 'receivers') as string[]).some(
          (receiver) => !(receiver in mapAt(one, 'connectors')),
        );
        if (external) expect(processors[0], `${id} ${name}`).toBe('memory_limiter');
        if (processors.includes('batch')) expect(processors.at(-1), `${id} ${name}`).toBe('batch');
        const attributes = processors.indexOf('k8s_attributes');
        if (attributes >= 0) expect(attributes, `${id} ${name}`).toBe(1);
      }
    }
  });

  it('count spans before sampling, head or tail, never both (B.4-27, B.4-28)', () => {
    const gateway = configured(config, 'opentelemetry-collector');
    const pipelines = mapAt(gateway, 'service', 'pipelines');
    const samplers = Object.entries(pipelines).flatMap(([name, one]) =>
      processorsOf(one)
        .filter((processor) => /sampl/.test(processor))
        .map((processor) => [name, processor]),
    );
    expect(samplers).toEqual([
      ['traces', config.genai.sampling.mode === 'tail' ? 'tail_sampling' : 'probabilistic_sampler'],
    ]);
    expect(listAt(pipelines, 'traces/in', 'exporters')).toContain('spanmetrics');
  });

  it('listen on all addresses (B.1-14, B.1-19, B.4-9, X-28, X-39)', () => {
    const otlp = mapAt(configured(config, 'opentelemetry-collector'), 'receivers', 'otlp', 'protocols');
    expect([at(otlp, 'grpc', 'endpoint'), at(otlp, 'http', 'endpoint')]).toEqual(['0.0.0.0:4317', '0.0.0.0:4318']);
    for (const [id, one] of collectorsOf(config)) {
      expect(at(one, 'extensions', 'health_check', 'endpoint'), id).toBe('0.0.0.0:13133');
      expect(listAt(one, 'service', 'extensions'), id).toContain('health_check');
      expect(
        at(listAt(one, 'service', 'telemetry', 'metrics', 'readers')[0], 'pull', 'exporter', 'prometheus', 'host'),
        id,
      ).toBe('0.0.0.0');
    }
  });

  it('send within seconds, through a bounded queue that retries (B.5-19, X-11, X-35)', () => {
    for (const [id, one] of collectorsOf(config)) {
      expect(at(one, 'processors', 'batch', 'timeout'), id).toBe('1s');
      const stores = Object.entries(mapAt(one, 'exporters')).filter(([name]) => name.startsWith('otlp'));
      for (const [name, exporter] of stores) {
        expect(at(exporter, 'sending_queue', 'queue_size'), `${id} ${name}`).toBeGreaterThan(0);
        expect(at(exporter, 'retry_on_failure', 'max_interval'), `${id} ${name}`).toBe('15s');
      }
      expect(stores.length, id).toBeGreaterThan(0);
    }
  });

  it('have one path for metrics, and read cluster metrics once (B.2-3, B.4-12, B.4-13, X-38)', () => {
    const all = collectorsOf(config);
    for (const [id, one] of all) {
      expect(Object.keys(mapAt(one, 'receivers')).map(kindOf), id).not.toContain('prometheus');
      expect(
        Object.keys(mapAt(one, 'exporters')).filter((name) => name.startsWith('prometheus')),
        id,
      ).toEqual([]);
    }
    expect(all.filter(([, one]) => 'k8s_cluster' in mapAt(one, 'receivers')).map(([id]) => id)).toEqual([
      'opentelemetry-cluster-collector',
    ]);
  });
});

it('the cluster collector has the rights that its receivers need (B.2-2, B.4-11)', () => {
  const rules = parse(readAsset('templates', 'opentelemetry-cluster-collector', 'rbac.yaml')) as {
    resources: string[];
    verbs: string[];
  }[];
  const rights = rules
    .filter(({ verbs }) => ['get', 'list', 'watch'].every((verb) => verbs.includes(verb)))
    .flatMap(({ resources }) => resources);
  expect(rights).toEqual(
    expect.arrayContaining([
      'events',
      'namespaces',
      'nodes',
      'pods',
      'replicationcontrollers',
      'resourcequotas',
      'services',
      'cronjobs',
      'jobs',
      'horizontalpodautoscalers',
    ]),
  );
  expect(readAsset('templates', 'opentelemetry-collector', 'rbac.yaml')).toContain('replicasets');
});

it('node collectors tolerate tainted servers, with our chart and with the operator (B.5-5)', () => {
  expect(readAsset('templates', 'opentelemetry-node-collector', 'templates', 'daemonset.yaml')).toMatch(
    /tolerations:\s+- operator: Exists/,
  );
  const made = buildPlan(profile('k3s')).flatMap((step) => (step.kind === 'objects' ? step.objects : []));
  const node = made.find(({ kind, metadata }) => kind === 'OpenTelemetryCollector' && metadata.name === 'otel-node');
  expect(at(listAt(node?.['spec'] as JsonMap, 'tolerations')[0], 'operator')).toBe('Exists');
});

describe.each(stored)('stores of %s', (_name, config) => {
  it('Loki has no key that version 3 refuses, and the schema that OTLP needs (B.1-7, B.2-13, B.5-18)', () => {
    const one = configured(config, 'loki');
    expect(JSON.stringify(one)).not.toMatch(/enforce_metric_name|shared_store|table_manager|boltdb/);
    for (const period of listAt(one, 'schema_config', 'configs'))
      expect(period).toMatchObject({ store: 'tsdb', schema: 'v13' });
    expect(at(one, 'compactor', 'delete_request_store')).toBe(config.storage.s3.enabled ? 's3' : 'filesystem');
  });

  it('Tempo accepts OTLP over gRPC and HTTP, and refers to no missing file (B.2-14, B.4-24)', () => {
    const one = configured(config, 'tempo');
    expect(JSON.stringify(one)).not.toContain('per_tenant_override_config');
    expect(Object.keys(mapAt(one, 'distributor', 'receivers', 'otlp', 'protocols'))).toEqual(['grpc', 'http']);
  });

  it('Prometheus has a valid retention, no deprecated discovery, no invalid labeldrop (B.1-25, B.4-44, B.5-17)', () => {
    const one = configured(config, 'prometheus');
    expect(JSON.stringify(one)).not.toMatch(/"[\w.]*tsdb\.retention[\w.]*"/);
    for (const job of listAt(one, 'scrape_configs')) {
      expect(listAt(job, 'kubernetes_sd_configs').map((discovery) => at(discovery, 'role'))).not.toContain('endpoints');
      for (const rule of [...listAt(job, 'relabel_configs'), ...listAt(job, 'metric_relabel_configs')])
        if (/^label(drop|keep)$/.test(String(at(rule, 'action'))))
          expect(Object.keys(rule as JsonMap).toSorted()).toEqual(['action', 'regex']);
    }
  });

  it('Alertmanager gets route and receivers, matchers, keys from files (B.1-8, B.1-9, B.4-35, B.4-36, B.4-38)', () => {
    const one = configured(config, 'alertmanager');
    const receivers = listAt(one, 'receivers').map((receiver) => at(receiver, 'name'));
    const routes = [mapAt(one, 'route'), ...listAt(one, 'route', 'routes')];
    for (const route of routes) expect(receivers).toContain(at(route, 'receiver'));
    const text = JSON.stringify(one);
    expect(text).not.toMatch(/"(match|match_re|(source|target)_match(_re)?)":/);
    expect(text).not.toMatch(/"(service_key|routing_key|api_url|auth_password|url)":/);
    const mails = listAt(one, 'receivers').flatMap((receiver) => listAt(receiver, 'email_configs'));
    for (const mail of mails) expect(at(mail, 'smarthost')).toBe('smtp.example.org:587');
    expect(mails.length > 0).toBe(config.alertmanager.notify.email !== undefined);
  });

  it('datasources have their uids and working links (B.2-19, B.2-20, X-40)', () => {
    const sources = listAt(datasources(config), 'datasources') as JsonMap[];
    const uids = sources.map(({ uid }) => uid);
    expect(uids).toEqual(expect.arrayContaining(['prometheus', 'loki', config.tempo.enabled ? 'tempo' : 'jaeger']));
    for (const source of sources.filter(({ type }) => type === 'tempo' || type === 'jaeger')) {
      expect(uids).toContain(at(source, 'jsonData', 'tracesToLogsV2', 'datasourceUid'));
      expect(at(source, 'jsonData', 'tracesToLogs')).toBeUndefined();
    }
    const derived = listAt(
      sources.find(({ uid }) => uid === 'loki'),
      'jsonData',
      'derivedFields',
    );
    expect(derived.map((field) => at(field, 'matcherType'))).toContain('label');
    // The trace id is structured metadata, so a line filter finds nothing.
    expect(JSON.stringify(sources)).toContain('| trace_id=');
  });

  it('rules query existing metrics, and notice absent ones (B.1-20, B.3-7, B.4-30, B.4-31, B.4-32)', () => {
    const rules = rulesOf(config);
    for (const { expr, alert, record } of rules) {
      const name = alert ?? record;
      expect(expr, name).not.toMatch(/kube_pod_status_phase\{[^}]*phase!="Running"/);
      expect(expr, name).not.toMatch(/container_spec_memory_limit_bytes|tempo_ingester_bytes_received_total/);
      expect(expr, name).not.toMatch(/http_server_request_count_total|\bvllm_\w/);
    }
    const down = rules.filter(({ expr }) => expr.includes('up{job="otel-collector"} == 0'));
    expect(down.map(({ expr }) => expr.includes('absent(up{job="otel-collector"})'))).toEqual([true]);
    const jobs = listAt(configured(config, 'prometheus'), 'scrape_configs').map((job) => at(job, 'job_name'));
    expect(jobs).toContain('otel-collector');
  });

  it('dashboards are bare objects, metrics with and without _total (B.1-11, B.1-19, B.1-20, B.4-20, B.4-21)', () => {
    const files = Object.entries(dashboards(config));
    // The size limit of a ConfigMap.
    expect(files.reduce((sum, [, text]) => sum + text.length, 0)).toBeLessThan(1024 * 1024);
    for (const [file, text] of files) {
      expect(at(JSON.parse(text) as JsonMap, 'uid'), file).toBe(file.replace('.json', ''));
      expect(text, file).not.toMatch(/tempo_ingester_bytes|"(currencyUSD|tokens)\/s"|grafana-piechart-panel/);
      expect(
        text.match(/otelcol_receiver_(accepted|refused)_[a-z_]+?(?:spans|points|records)(?=[[{])/g),
        file,
      ).toBeNull();
    }
  });
});

describe.each(configs)('plan of %s', (_name, config) => {
  const steps = buildPlan(config);
  const text = JSON.stringify(steps);
  const objects = steps.flatMap((step) => (step.kind === 'objects' ? step.objects : []));

  it('contains no image of a frozen registry, MinIO, Bitnami or Promtail (B.4-40)', () => {
    expect(text).not.toMatch(/k8s\.gcr\.io|bitnami|minio|promtail/i);
    expect(text).not.toMatch(/:latest"/);
  });

  it('contains no well-known password; one Secret has both keys of the administrator (B.1-4, B.1-5, B.4-3)', () => {
    expect(text).not.toMatch(
      /changeme|"adminPassword"|"(admin|prom-operator|password)":"(admin|prom-operator|password)"/i,
    );
    const secret = steps.find(
      (step): step is Extract<Step, { kind: 'secret' }> =>
        step.kind === 'secret' && step.object.metadata.name === 'grafana-admin',
    );
    expect(secret?.keys).toEqual(
      config.grafana.enabled ? { 'admin-user': 'admin', 'admin-password': null } : undefined,
    );
  });

  it('creates every namespace that it uses (B.4-1)', () => {
    const made = new Set(objects.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [metadata.name] : [])));
    const used = steps.flatMap((step) => (step.kind === 'release' ? [step.namespace] : []));
    expect(
      [...used, ...objects.flatMap(({ metadata }) => metadata.namespace ?? [])].filter((name) => !made.has(name)),
    ).toEqual([]);
    expect(made).toContain(config.namespace);
  });

  it('has one Grafana and one Prometheus, inside the cluster (B.1-15, B.1-16, B.2-11, B.2-18)', () => {
    for (const step of steps) {
      if (step.kind !== 'release' || step.chart.source !== 'upstream') continue;
      const { name } = step.chart;
      if (name === 'grafana')
        expect(step.values).toMatchObject({ deploymentStrategy: { type: 'Recreate' }, service: { type: 'ClusterIP' } });
      if (name === 'prometheus') expect(step.values).toMatchObject({ server: { strategy: { type: 'Recreate' } } });
      expect(at(step.values, 'replicas') ?? at(step.values, 'server', 'replicaCount') ?? 1, name).toBe(1);
    }
  });

  it('enables OTLP and remote write in Prometheus, with every chart (B.4-8)', () => {
    const release = steps.find(
      (step) =>
        step.kind === 'release' &&
        step.workloads.some(({ name }) => /^prometheus(-server|-monitoring-kube-prometheus-prometheus)?$/.test(name)),
    );
    expect(release !== undefined).toBe(config.prometheus.enabled);
    if (release?.kind !== 'release') return;
    const flags =
      release.chart.source === 'genai-obs'
        ? readAsset('templates', 'prometheus', 'templates', 'statefulset.yaml')
        : JSON.stringify(release.values);
    expect(flags).toMatch(/web\.enable-otlp-receiver|"enableOTLPReceiver":true/);
    expect(flags).toMatch(/web\.enable-remote-write-receiver|"enableRemoteWriteReceiver":true/);
  });
});

describe('upstream charts', () => {
  it('of Grafana, Loki and Tempo come from the maintained repository (B.1-1)', () => {
    for (const chart of ['grafana', 'loki', 'tempo'] as const)
      expect(PINS[chart].repo).toBe('https://grafana-community.github.io/helm-charts');
    expect(Object.keys(PINS).filter((name) => /promtail|loki-stack|minio|nfs-subdir/.test(name))).toEqual([]);
  });

  it('render no image of a frozen registry in any profile (B.4-40)', () => {
    const images = knownCharts().flatMap((chart) =>
      Object.values(readFacts(chart as ChartName).renders).flatMap((rendered) =>
        rendered.flatMap(({ containers }) => Object.values(containers ?? {})),
      ),
    );
    expect(images.length, FACTS_DIR).toBeGreaterThan(20);
    expect(images.filter((image) => /k8s\.gcr\.io|bitnami|minio|promtail|:latest$/.test(image))).toEqual([]);
  });
});

it('objects have the names that the charts give them (B.4-7, B.4-16, B.5-6, B.5-7, X-04, X-06, X-32)', () => {
  const compared = profileNames().flatMap((name) => {
    const config = profile(name);
    return COMPONENT_IDS.filter((id) => config[id].enabled).flatMap((id) => {
      const { chart, service, workload } = placeOf(config, id);
      // contracts.test.ts checks that every release of every profile has a rendering.
      const rendered =
        chart in PINS ? readFacts(chart as ChartName).renders[`${name}/${releaseOf(config, id)?.name}`] : undefined;
      if (!rendered) return [];
      const found = rendered.find((object) => object.kind === 'Service' && object.name === service.name);
      expect(found?.ports?.map(({ port }) => port) ?? [], `${name}: Service of ${id}`).toContain(service.port);
      // The operator of kube-prometheus-stack creates Prometheus and Alertmanager.
      const made = rendered.filter((object) => object.kind === workload.kind).map((object) => object.name);
      if (chart !== 'kube-prometheus-stack' || id === 'kube-state-metrics')
        expect(made, `${name}: workload of ${id}`).toContain(workload.name);
      return [id];
    });
  });
  expect(compared.length).toBeGreaterThan(15);
});

it('requests are counted in both conventions for HTTP metrics (B.2-21)', () => {
  const rule = rulesOf(profile('llm-platform')).find(
    ({ record }) => record === 'genai_obs:http_server_requests:rate5m',
  );
  for (const name of [
    'http_server_request_duration_seconds_count',
    'http_response_status_code',
    'http_server_duration_milliseconds_count',
    'http_status_code',
  ])
    expect(rule?.expr).toContain(name);
});

it('printed snippets import no removed module (B.2-7, B.2-8, B.2-9)', () => {
  const python = ['telemetry.py', 'example.py', 'gateway.py', 'json_logs.py']
    .map((file) => readAsset('templates', 'connect', 'python', file))
    .join('\n');
  expect(python).not.toContain('TraceContextTextMapPropagator');
  expect(python).toMatch(/get\("X-Correlation-ID", "[^"]+"\)/);
  expect(python).not.toContain('pythonjsonlogger.jsonlogger');
  expect(python).toMatch(/duration\.record\(time\.monotonic\(\) - start, who\)/);
  expect(python).toMatch(/"status": str\(status\)/);
});

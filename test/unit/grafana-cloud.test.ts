import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { gatewayEndpoint } from '../../src/parts/collectors/endpoint.ts';
import { readAsset } from '../../src/core/assets.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { ReleaseStep } from '../../src/engine/steps/release.ts';
import type { SecretStep } from '../../src/engine/steps/secret.ts';
import { checkComplete } from '../../src/parts/cloud.ts';
import { flagLayer } from '../../src/profile/flags.ts';
import { extended, profileLayer } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { COMPONENT_IDS, type Config } from '../../src/profile/schema.ts';

const OTLP = { url: 'https://gateway.example/otlp', user: '123456' };

/** The profile with settings of k8s-monitoring on top. */
function cloud(over: JsonMap = {}, more: JsonMap = {}): Config {
  const data = { 'k8s-monitoring': { destination: { otlp: OTLP }, ...over }, ...more };
  return resolve([...extended(profileLayer('grafana-cloud')), { source: 'test', data }]);
}

const stepOf = <T>(config: Config, id: string): T => buildPlan(config).find((step) => step.id === id) as T;
const release = (config: Config): ReleaseStep => stepOf(config, 'release/k8s-monitoring');

interface Values {
  cluster: { name: string };
  global: JsonMap & { scrapeInterval: string };
  destinations: Record<string, JsonMap & { type: string; url: string; auth: JsonMap; secret: JsonMap }>;
  collectors: Record<string, { presets: string[]; alloy?: JsonMap }>;
  clusterMetrics: { controlPlane: JsonMap; cadvisor: Tuned; 'kube-state-metrics': Tuned };
  applicationObservability: { receivers: JsonMap; traces: { transforms: { span: string[] } } };
}
interface Tuned {
  metricsTuning: { includeMetrics: string[] };
}
const values = (config: Config): Values => release(config).values as unknown as Values;

const SEPARATE = {
  destination: {
    mode: 'separate',
    otlp: { url: 'https://traces.example/otlp', user: '3' },
    prometheus: { url: 'https://metrics.example/api/prom/push', user: '1' },
    loki: { url: 'https://logs.example/loki/api/v1/push', user: '' },
  },
};

describe('profile grafana-cloud', () => {
  it('installs no backend in the cluster', () => {
    const config = cloud();
    expect(COMPONENT_IDS.filter((id) => config[id].enabled)).toEqual([]);
    const steps = buildPlan(config);
    expect(steps.filter((step) => step.kind === 'release').map((step) => step.id)).toEqual(['release/k8s-monitoring']);
    expect(JSON.stringify(steps)).not.toContain('PersistentVolumeClaim');
  });

  it('requires the address of a stack, in a file or by flag', () => {
    const bare = extended(profileLayer('grafana-cloud'));
    expect(() => checkComplete(resolve(bare))).toThrow(/k8s-monitoring\.destination\.otlp\.url is empty/);
    const flags = flagLayer({ cloudUrl: OTLP.url, cloudUser: OTLP.user });
    expect(checkComplete(resolve([...bare, flags]))['k8s-monitoring'].destination.otlp).toEqual(OTLP);
    expect(() => checkComplete(cloud({ destination: { mode: 'separate', otlp: OTLP } }))).toThrow(
      /prometheus\.url is empty/,
    );
    expect(checkComplete(resolve([profileLayer('quickstart')])).profile).toBe('quickstart');
  });

  it('refuses a URL with credentials', () => {
    expect(() => cloud({ destination: { otlp: { url: 'https://123456:glc_token@gateway.example/otlp' } } })).toThrow(
      /without credentials/,
    );
  });

  it('has fixed names and namespace, and waits for the workloads of the Alloy operator', () => {
    const step = release(cloud());
    expect(step).toMatchObject({
      release: 'grafana-k8s-monitoring',
      namespace: 'grafana-k8s-monitoring',
      needs: ['namespace', 'secret/grafana-cloud', 'crds/k8s-monitoring'],
    });
    const alloys = step.workloads.filter(
      ({ name }) => name in values(cloud()).collectors || /alloy-(logs|metrics|receiver|singleton)$/.test(name),
    );
    expect(alloys.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'DaemonSet grafana-k8s-monitoring-alloy-logs',
      'StatefulSet grafana-k8s-monitoring-alloy-metrics',
      'Deployment grafana-k8s-monitoring-alloy-receiver',
      'Deployment grafana-k8s-monitoring-alloy-singleton',
    ]);
  });

  it('applications send to Alloy’s receiver if there is no gateway', () => {
    const host = 'http://grafana-k8s-monitoring-alloy-receiver.grafana-k8s-monitoring.svc';
    expect(gatewayEndpoint(cloud())).toEqual({ grpc: `${host}:4317`, 'http/protobuf': `${host}:4318` });
  });

  it('waits for the kind of workload of each preset', () => {
    const kinds: Record<string, string> = {
      daemonset: 'DaemonSet',
      statefulset: 'StatefulSet',
      deployment: 'Deployment',
      singleton: 'Deployment',
    };
    for (const [name, { presets }] of Object.entries(values(cloud()).collectors)) {
      const made = presets.flatMap((preset) => kinds[preset] ?? []);
      expect(release(cloud()).workloads.find((workload) => workload.name.endsWith(name))?.kind, name).toBe(made[0]);
      expect(made).toHaveLength(1);
    }
  });
});

describe('destinations', () => {
  it('otlp: one gateway for all signals, with basic auth from the Secret', () => {
    expect(values(cloud()).destinations).toEqual({
      'grafana-cloud': {
        type: 'otlp',
        url: OTLP.url,
        protocol: 'http',
        auth: { type: 'basic', usernameKey: 'username', passwordKey: 'token' },
        secret: { create: false, name: 'grafana-cloud', namespace: 'grafana-k8s-monitoring' },
        metrics: { enabled: true },
        logs: { enabled: true },
        traces: { enabled: true },
      },
    });
  });

  it('separate: remote write, Loki push, and OTLP for traces only', () => {
    const { destinations } = values(cloud(SEPARATE));
    expect(
      Object.entries(destinations).map(([name, { type, url, auth }]) => [name, type, url, auth['usernameKey']]),
    ).toEqual([
      ['metrics', 'prometheus', 'https://metrics.example/api/prom/push', 'metrics-username'],
      ['logs', 'loki', 'https://logs.example/loki/api/v1/push', 'logs-username'],
      ['traces', 'otlp', 'https://traces.example/otlp', 'traces-username'],
    ]);
    expect(destinations['traces']).toMatchObject({
      metrics: { enabled: false },
      logs: { enabled: false },
      traces: { enabled: true },
    });
  });

  it('the Secret gets known users, reads the others from the environment, and sets no TLS or tenant keys', () => {
    const secret = stepOf<SecretStep>(cloud(SEPARATE), 'secret/grafana-cloud');
    expect(secret.keys).toEqual({
      'metrics-username': '1',
      'logs-username': { fromEnv: 'GRAFANA_CLOUD_LOGS_USERNAME' },
      'traces-username': '3',
      token: { fromEnv: 'GRAFANA_CLOUD_TOKEN' },
    });
    for (const taken of ['ca', 'cert', 'key', 'tenantId']) expect(Object.keys(secret.keys)).not.toContain(taken);
  });

  it('the token can come from another source in secrets', () => {
    const config = cloud({}, { secrets: [{ name: 'grafana-cloud', key: 'token', file: 'token.txt' }] });
    expect(stepOf<SecretStep>(config, 'secret/grafana-cloud').keys).toMatchObject({
      username: '123456',
      token: { fromFile: 'token.txt' },
    });
  });
});

describe('collected telemetry', () => {
  it('scrapes every minute, or every 15 seconds on request', () => {
    expect(values(cloud()).global.scrapeInterval).toBe('60s');
    expect(values(cloud({ scrapeInterval: '15s' })).global.scrapeInterval).toBe('15s');
    expect(() => cloud({ scrapeInterval: '15' })).toThrow(/interval/);
  });

  it('opens 4317 and 4318, and 9411 only with Zipkin', () => {
    expect(values(cloud()).applicationObservability.receivers).toMatchObject({
      otlp: { grpc: { enabled: true, port: 4317 }, http: { enabled: true, port: 4318 } },
      zipkin: { enabled: false },
    });
    expect(values(cloud({ zipkin: true })).applicationObservability.receivers).toMatchObject({
      zipkin: { enabled: true, port: 9411 },
    });
  });

  it('does not scrape the control plane', () => {
    expect(values(cloud()).clusterMetrics.controlPlane).toEqual({ enabled: false });
  });

  it('keeps series that the allow lists of the chart drop', () => {
    const { clusterMetrics } = values(cloud());
    expect(clusterMetrics.cadvisor.metricsTuning.includeMetrics).toContain('container_memory_usage_bytes');
    expect(clusterMetrics['kube-state-metrics'].metricsTuning.includeMetrics).toContain('kube_pod_status_ready');
  });

  it('adds GenAI attribute names to spans, and never overwrites them', () => {
    const { span } = values(cloud()).applicationObservability.traces.transforms;
    for (const [from, to] of [
      ['llm.model', 'gen_ai.request.model'],
      ['llm.tokens_prompt', 'gen_ai.usage.input_tokens'],
      ['llm.tokens_completion', 'gen_ai.usage.output_tokens'],
    ])
      expect(span).toContain(
        `set(span.attributes["${to}"], span.attributes["${from}"]) ` +
          `where span.attributes["${from}"] != nil and span.attributes["${to}"] == nil`,
      );
  });

  it('sends no prompt text by default', () => {
    const span = (promptText: string): string =>
      values(cloud({ promptText })).applicationObservability.traces.transforms.span.join('\n');
    expect(cloud()['k8s-monitoring'].promptText).toBe('hash');
    for (const key of ['rag.query', 'faiss.query']) {
      expect(span('hash')).toContain(`set(span.attributes["${key}"], SHA256(span.attributes["${key}"]))`);
      expect(span('drop')).toContain(`delete_key(span.attributes, "${key}")`);
      expect(span('keep')).not.toContain(key);
    }
  });

  it('reads logs with the Loki receiver, or with OpenTelemetry’s as a preview', () => {
    expect(values(cloud())).toMatchObject({ podLogsViaLoki: { enabled: true, collector: 'alloy-logs' } });
    const otel = values(cloud({ podLogs: 'opentelemetry' }));
    expect(otel).toMatchObject({
      podLogsViaOpenTelemetry: { enabled: true },
      collectors: { 'alloy-logs': { alloy: { stabilityLevel: 'public-preview' } } },
    });
    expect(otel).not.toHaveProperty('podLogsViaLoki');
    expect(otel.collectors['alloy-metrics']).not.toHaveProperty('alloy');
  });

  it('every feature names an existing collector', () => {
    const { collectors, ...rest } = values(cloud({ zipkin: true }));
    const named = Object.values(rest).flatMap((feature) => (feature as { collector?: string }).collector ?? []);
    expect(new Set(named)).toEqual(new Set(Object.keys(collectors)));
  });

  it('takes its images from a mirror, also those of its hooks', () => {
    const mirrored = release(cloud({}, { global: { imageRegistry: 'registry.example:5000/mirror' } })).values;
    expect(mirrored).toMatchObject({
      global: { image: { registry: 'registry.example:5000/mirror' }, imageRegistry: 'registry.example:5000/mirror' },
      'alloy-operator': {
        waitForAlloyRemoval: {
          image: { registry: 'registry.example:5000/mirror', repository: 'grafana/helm-chart-toolbox-kubectl' },
        },
      },
    });
  });
});

describe('documented queries', () => {
  const doc = readAsset('docs', 'grafana-cloud.md');
  const blocks = (language: string): string[] =>
    [...doc.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].flatMap(([, text = '']) =>
      text.trim().split('\n'),
    );

  it('PromQL uses the series that vLLM exposes, and rates of counters', () => {
    const queries = blocks('promql').filter((line) => line && !line.startsWith('#'));
    expect(queries.length).toBeGreaterThan(5);
    const all = queries.join('\n');
    for (const name of [
      'vllm:e2e_request_latency_seconds_bucket',
      'vllm:generation_tokens_total',
      'vllm:num_requests_running',
      'vllm:num_requests_waiting',
    ])
      expect(all).toContain(name);
    expect(all).not.toMatch(/vllm_(request_duration|tokens_generated|active_requests|queue_size)/);
    for (const query of queries)
      for (const [, before = ''] of query.matchAll(/(.{0,5})\b[\w:]+_total\b/g))
        expect(before, query).toMatch(/rate\($/);
    // A histogram has no series with its bare name.
    expect(all).not.toMatch(/chatbot_rag_chunks_sent(?!_(sum|count|bucket))/);
  });

  it('TraceQL scopes every attribute', () => {
    const queries = blocks('traceql').filter((line) => line && !line.startsWith('#'));
    expect(queries.length).toBeGreaterThan(3);
    for (const query of queries)
      for (const [, name = ''] of query.replace(/"[^"]*"/g, '""').matchAll(/([\w.]+)\s*(?:=~|!=|>=|<=|=|>|<)/g))
        expect(name, query).toMatch(/^(resource|span)\.|^(duration|name|status|kind)$/);
  });

  it('the profile parses to a complete set of settings', () => {
    const file = parse(readAsset('profiles', 'grafana-cloud.yaml')) as { 'k8s-monitoring': JsonMap };
    expect(Object.keys(file['k8s-monitoring']).toSorted()).toEqual(
      Object.keys(cloud()['k8s-monitoring'])
        .filter((key) => key !== 'namespace')
        .toSorted(),
    );
  });
});

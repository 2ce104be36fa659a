import { describe, expect, it } from 'vitest';
import { datasources } from '../../src/parts/grafana/datasources.ts';
import { at, listAt, mapAt } from '../../src/core/json.ts';
import { ObsError } from '../../src/core/errors.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import { quickstart } from './support/config.ts';
import { configured, gateway, genops, pipeline, releaseOf } from './support/genops.ts';

describe('the gateway', () => {
  it('has one path for metrics and renames nothing', () => {
    expect(Object.keys(mapAt(gateway(), 'exporters')).toSorted()).toEqual([
      'otlp_grpc/jaeger',
      'otlp_http/loki',
      'otlp_http/prometheus',
    ]);
    expect(JSON.stringify(gateway())).toContain(
      'http://monitoring-kube-prometheus-prometheus.monitoring.svc:9090/api/v1/otlp',
    );
  });

  it('answers its probes, stores logs, and sends traces to the Service jaeger by OTLP', () => {
    expect(mapAt(gateway(), 'extensions', 'health_check')).toEqual({ endpoint: '0.0.0.0:13133' });
    expect(pipeline(gateway(), 'logs', 'exporters')).toEqual(['otlp_http/loki']);
    expect(mapAt(gateway(), 'exporters', 'otlp_grpc/jaeger')).toMatchObject({
      endpoint: 'jaeger.monitoring.svc:4317',
      tls: { insecure: true },
    });
    expect(pipeline(gateway({ tempo: { enabled: true } }), 'traces', 'exporters')).toEqual(['otlp_grpc/tempo']);
    expect(JSON.stringify(gateway({ jaeger: { enabled: false } }))).not.toMatch(/jaeger|tempo/);
  });

  it('normalizes both spellings of GenOps before spans are counted', () => {
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

  it('sends platforms a copy, with keys from the environment only', () => {
    const over = {
      exporters: {
        honeycomb: { enabled: true },
        datadog: { enabled: true },
        splunk: { enabled: true, endpoint: 'https://hec.example:8088/services/collector' },
      },
    };
    const config = gateway(over);
    expect(mapAt(config, 'exporters', 'otlp_grpc/honeycomb', 'headers')).toEqual({
      'x-honeycomb-team': '${env:HONEYCOMB_API_KEY}',
    });
    expect(pipeline(config, 'traces', 'exporters')).toEqual(['otlp_grpc/jaeger', 'datadog', 'otlp_grpc/honeycomb']);
    expect(pipeline(config, 'metrics', 'exporters')).toContain('datadog');
    expect(pipeline(config, 'logs', 'exporters')).toContain('splunk_hec');
    const { values } = releaseOf(buildPlan(genops(over)), 'opentelemetry-collector');
    expect(values['extraEnv']).toContainEqual({
      name: 'HONEYCOMB_API_KEY',
      valueFrom: { secretKeyRef: { name: 'honeycomb', key: 'api-key' } },
    });
    expect(() => genops({ exporters: { splunk: { enabled: true } } })).toThrow(ObsError);
    // Platforms get traces even without a backend in the cluster.
    expect(pipeline(gateway({ ...over, jaeger: { enabled: false } }), 'traces', 'exporters')).toEqual([
      'datadog',
      'otlp_grpc/honeycomb',
    ]);
  });
});

describe('tail sampling', () => {
  const tail = (over: JsonMap = {}): JsonMap => gateway({ genai: { sampling: { mode: 'tail', rate: 0.01 } }, ...over });

  it('routes the spans of a trace to one replica, without a head sampler before it', () => {
    expect(pipeline(tail(), 'traces/in', 'exporters')).toEqual(['spanmetrics', 'loadbalancing']);
    expect(mapAt(tail(), 'exporters', 'loadbalancing')).toMatchObject({
      routing_key: 'traceID',
      resolver: { dns: { hostname: 'opentelemetry-collector-headless', port: '14317' } },
    });
    expect(pipeline(tail(), 'traces', 'receivers')).toEqual(['otlp/sampling']);
    expect(pipeline(tail(), 'traces', 'processors')).toEqual(['memory_limiter', 'tail_sampling', 'batch']);
    expect(JSON.stringify(tail())).not.toContain('probabilistic_sampler');
    expect(
      releaseOf(buildPlan(genops({ genai: { sampling: { mode: 'tail' } } })), 'opentelemetry-collector').values[
        'peerPort'
      ],
    ).toBe(14317);
  });

  it('counts spans before the decision', () => {
    expect(pipeline(tail(), 'traces/in', 'exporters')).toContain('spanmetrics');
    expect(pipeline(tail(), 'traces', 'exporters')).toEqual(['otlp_grpc/jaeger']);
  });

  it('keeps errors, slow, refused and expensive calls, and compares costs as decimals', () => {
    const policies = listAt(tail(), 'processors', 'tail_sampling', 'policies') as {
      name: string;
      type: string;
      [key: string]: unknown;
    }[];
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

  it('routes nothing between replicas if no backend stores traces', () => {
    const alone = tail({ jaeger: { enabled: false } });
    expect(JSON.stringify(mapAt(alone, 'service', 'pipelines'))).not.toMatch(
      /loadbalancing|tail_sampling|otlp\/sampling/,
    );
    expect(mapAt(alone, 'exporters')).not.toHaveProperty('loadbalancing');
  });
});

describe('Jaeger', () => {
  const values = (over: JsonMap = {}): JsonMap => releaseOf(buildPlan(genops({ jaeger: over })), 'jaeger').values;

  it('has its storage where the chart reads it, and answers probes', () => {
    expect(mapAt(values(), 'userconfig', 'extensions')).toMatchObject({
      healthcheckv2: { http: { endpoint: '0.0.0.0:13133' } },
      jaeger_storage: { backends: { store: { memory: { max_traces: 50_000 } } } },
    });
    const search = values({
      storage: 'opensearch',
      endpoint: 'http://opensearch-cluster-master:9200',
      secret: 'opensearch',
    });
    expect(mapAt(search, 'userconfig', 'extensions', 'jaeger_storage', 'backends', 'store')).toMatchObject({
      opensearch: {
        server_urls: ['http://opensearch-cluster-master:9200'],
        auth: { basic: { password: '${env:OPENSEARCH_PASSWORD}' } },
      },
    });
    expect(JSON.stringify(search)).toContain('{"secretKeyRef":{"name":"opensearch","key":"password"}}');
    expect(() => values({ storage: 'opensearch' })).toThrow(ObsError);
  });

  it('rolls its pod when its configuration changes', () => {
    const hash = (over: JsonMap): unknown =>
      listAt(values(over), 'jaeger', 'extraEnv').find((one) => (one as JsonMap)['name'] === 'CONFIG_HASH');
    expect(hash({ maxTraces: 10 })).not.toEqual(hash({}));
  });

  it('has a memory limit for the traces that it keeps, and 512Mi with OpenSearch', () => {
    const limit = (over: JsonMap): unknown => at(values(over), 'jaeger', 'resources', 'limits', 'memory');
    expect([
      limit({}),
      limit({ maxTraces: 4_000 }),
      limit({ storage: 'opensearch', endpoint: 'http://opensearch:9200' }),
    ]).toEqual(['960Mi', '192Mi', '512Mi']);
    expect(listAt(values(), 'jaeger', 'extraEnv')).toContainEqual({ name: 'GOMEMLIMIT', value: '816MiB' });
  });

  it('does not trace its own queries', () => {
    expect(listAt(values(), 'jaeger', 'extraEnv')).toContainEqual({ name: 'OTEL_TRACES_SAMPLER', value: 'always_off' });
  });

  it('links spans to logs without tags, because Jaeger has no tag service.name', () => {
    const jaeger = (listAt(datasources(genops()), 'datasources') as JsonMap[]).find(({ uid }) => uid === 'jaeger');
    const { query, tags } = mapAt(jaeger, 'jsonData', 'tracesToLogsV2');
    expect([query, tags]).toEqual(['{service_name=~".+"} | trace_id="$${__trace.traceId}"', undefined]);
  });

  it('is a datasource and the target of links to traces, unless Tempo is enabled', () => {
    const of = (over: JsonMap): JsonMap[] => listAt(datasources(genops(over)), 'datasources') as JsonMap[];
    expect(of({}).map(({ uid, url }) => [uid, url])).toContainEqual(['jaeger', 'http://jaeger:16686']);
    expect(JSON.stringify(of({}))).not.toContain('tempo');
    for (const from of ['loki', 'prometheus'])
      expect(JSON.stringify(of({}).find(({ uid }) => uid === from))).toContain('"datasourceUid":"jaeger"');
    expect(JSON.stringify(of({ tempo: { enabled: true } }).find(({ uid }) => uid === 'loki'))).toContain(
      '"datasourceUid":"tempo"',
    );
  });
});

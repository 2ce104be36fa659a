import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { InMemoryLogRecordExporter } from '@opentelemetry/sdk-logs';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkload } from '../../demo/workload/bundle.mjs';
import { workloadObjects } from '../../demo/workload/manifests.mjs';
import { HttpError, postJson, serve, type Handler } from '../../demo/workload/src/http.ts';
import { drawReply } from '../../demo/workload/src/imitate.ts';
import { MODELS, PERSONAS, modelNamed, pick } from '../../demo/workload/src/models.ts';
import { ragChat } from '../../demo/workload/src/roles/rag-chat.ts';
import { fakeModel } from '../../demo/workload/src/roles/fake-model.ts';
import { drawQuestion } from '../../demo/workload/src/roles/load.ts';
import { vectorStore } from '../../demo/workload/src/roles/vector-store.ts';
import { DURATION_BUCKETS, TOKEN_BUCKETS } from '../../demo/workload/src/semconv.ts';
import { settingsFrom } from '../../demo/workload/src/settings.ts';
import { startTelemetry } from '../../demo/workload/src/telemetry.ts';

const QUESTION = 'how long are traces kept?';

describe('the bundle', () => {
  it('is one file that fits into a ConfigMap', async () => {
    const script = await bundleWorkload();
    expect(Buffer.byteLength(script)).toBeLessThan(700 * 1024);
    expect(script).not.toMatch(/require\("@opentelemetry/);
  });
});

describe('random replies and questions', () => {
  const shares = { errorRate: 0.03, slowRate: 0.05 };
  const draws = MODELS.flatMap((model) => Array.from({ length: 4000 }, () => drawReply(model, shares, Math.random)));

  it('have the configured rates of errors and slow replies', () => {
    const share = (of: (draw: (typeof draws)[number]) => boolean): number => draws.filter(of).length / draws.length;
    expect(share(({ status }) => status === 429)).toBeCloseTo(0.015, 2);
    expect(share(({ status }) => status === 500)).toBeCloseTo(0.015, 2);
    const slow = share(({ latencyMs }) => latencyMs > 5000);
    expect(slow).toBeGreaterThan(0.035);
    expect(slow).toBeLessThan(0.065);
  });

  it('cover every model, each with the provider that serves it', () => {
    const asked = new Set(Array.from({ length: 2000 }, () => drawQuestion(Math.random).model));
    expect([...asked].toSorted()).toEqual(MODELS.map(({ name }) => name).toSorted());
    expect(PERSONAS).toHaveLength(3);
    expect(modelNamed('claude-sonnet-4')?.provider).toBe('anthropic');
  });

  it('are picked by their share', () => {
    expect(
      pick(
        ['a', 'b'],
        () => 1,
        () => 0.49,
      ),
    ).toBe('a');
    expect(
      pick(
        ['a', 'b'],
        () => 1,
        () => 0.999,
      ),
    ).toBe('b');
  });
});

describe('settings', () => {
  it('refuses an unknown role with the list of roles, and an invalid rate', () => {
    expect(() => settingsFrom({ ROLE: 'oops' })).toThrow(/rag-chat, vector-store, fake-model, load/);
    expect(() => settingsFrom({ ROLE: 'load', RATE: 'many' })).toThrow(/RATE/);
    expect(settingsFrom({ ROLE: 'load' })).toMatchObject({ rate: 3, metricIntervalMs: 10_000 });
  });
});

describe('telemetry', () => {
  const spans = new InMemorySpanExporter();
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const logs = new InMemoryLogRecordExporter();
  const base = settingsFrom({
    ROLE: 'rag-chat',
    ERROR_RATE: '0',
    SLOW_RATE: '0',
    OTEL_METRIC_EXPORT_INTERVAL: '60000',
  });
  const telemetry = startTelemetry(base, { traces: spans, metrics, logs });
  const servers: Server[] = [];
  let refusing = false;
  let chatUrl: URL;

  async function start(routes: Record<string, Handler>): Promise<URL> {
    const server = await serve(telemetry, 0, routes);
    servers.push(server);
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  const named = (name: string): ReadableSpan => {
    const found = spans.getFinishedSpans().find((span) => span.name === name);
    if (!found) throw new Error(`no span ${name}`);
    return found;
  };
  const points = async (name: string) => {
    await telemetry.flush();
    const all =
      metrics
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    return all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  };

  beforeAll(async () => {
    const model = fakeModel(telemetry, base);
    const modelUrl = await start({
      ...model,
      '/v1/chat/completions': async (body) =>
        refusing ? { status: 429, body: {} } : ((await model['/v1/chat/completions']?.(body)) ?? { body: {} }),
    });
    const vectorStoreUrl = await start(vectorStore(telemetry));
    chatUrl = await start(ragChat(telemetry, { ...base, modelUrl, vectorStoreUrl }));
    await postJson(chatUrl, '/chat', { question: QUESTION, persona: 'analyst', model: 'gpt-4o', top_k: 4 });
    await telemetry.flush();
  });
  afterAll(() => servers.forEach((server) => server.close()));

  it('creates one trace across all services, with the server span of rag-chat as its root', () => {
    const root = named('POST /chat');
    expect(root.kind).toBe(SpanKind.SERVER);
    expect(root.parentSpanContext).toBeUndefined();
    const parents = Object.fromEntries(
      spans
        .getFinishedSpans()
        .map((span) => [
          span.name,
          spans.getFinishedSpans().find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId)?.name,
        ]),
    );
    expect(parents).toEqual({
      'POST /chat': undefined,
      'embeddings text-embedding-3-small': 'POST /chat',
      'POST /v1/embeddings': 'embeddings text-embedding-3-small',
      'retrieval product-docs': 'POST /chat',
      'POST /search': 'retrieval product-docs',
      'chat gpt-4o': 'POST /chat',
      'POST /v1/chat/completions': 'chat gpt-4o',
    });
    expect(new Set(spans.getFinishedSpans().map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it('sets the span attributes of the GenAI semantic conventions', () => {
    const chat = named('chat gpt-4o');
    expect(chat.kind).toBe(SpanKind.CLIENT);
    expect(chat.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.response.model': 'gpt-4o-2024-08-06',
      'gen_ai.response.finish_reasons': ['stop'],
      'server.address': '127.0.0.1',
      'rag.chunks_sent': 4,
    });
    expect(chat.attributes['gen_ai.usage.input_tokens']).toBeGreaterThan(300);
    expect(chat.attributes['gen_ai.usage.output_tokens']).toBeGreaterThan(0);
    expect(named('retrieval product-docs').attributes).toMatchObject({
      'gen_ai.operation.name': 'retrieval',
      'gen_ai.retrieval.top_k': 4,
    });
  });

  it('records duration and tokens in the buckets of the semantic conventions', async () => {
    expect(DURATION_BUCKETS).toEqual([
      0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ]);
    expect(TOKEN_BUCKETS).toEqual([
      1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    ]);
    const durations = await points('gen_ai.client.operation.duration');
    expect(durations[0]?.value).toMatchObject({ buckets: { boundaries: DURATION_BUCKETS } });
    const tokens = await points('gen_ai.client.token.usage');
    expect(tokens[0]?.value).toMatchObject({ buckets: { boundaries: TOKEN_BUCKETS } });
    const labels = tokens.map(
      ({ attributes }) => `${attributes['gen_ai.response.model']} ${attributes['gen_ai.token.type']}`,
    );
    expect(labels.toSorted()).toEqual([
      'gpt-4o-2024-08-06 input',
      'gpt-4o-2024-08-06 output',
      'text-embedding-3-small input',
    ]);
  });

  it('logs events with the trace ID, and never logs the question', () => {
    const records = logs.getFinishedLogRecords();
    const record = records.find(({ body }) => String(body).includes('chat.completed'));
    expect(record?.severityText).toBe('INFO');
    expect(record?.spanContext?.traceId).toBe(named('POST /chat').spanContext().traceId);
    expect(JSON.parse(String(record?.body))).toMatchObject({ event: 'chat.completed', model: 'gpt-4o', chunks: 4 });
    expect(
      JSON.stringify([records.map(({ body }) => body), spans.getFinishedSpans().map(({ attributes }) => attributes)]),
    ).not.toContain(QUESTION);
  });

  it('records a refused chat as error spans, an error label and a WARN log', async () => {
    spans.reset();
    refusing = true;
    const asked = postJson(chatUrl, '/chat', { question: QUESTION, model: 'claude-sonnet-4' });
    await expect(asked).rejects.toEqual(new HttpError(503, '/chat: HTTP 503'));
    const durations = await points('gen_ai.client.operation.duration');
    expect(named('chat claude-sonnet-4').attributes['error.type']).toBe('429');
    expect(named('chat claude-sonnet-4').status.code).toBe(SpanStatusCode.ERROR);
    expect(named('POST /chat').status.code).toBe(SpanStatusCode.ERROR);
    const failed = durations.filter(({ attributes }) => attributes['error.type'] === '429');
    expect(failed.map(({ attributes }) => attributes['gen_ai.request.model'])).toEqual(['claude-sonnet-4']);
    expect(logs.getFinishedLogRecords().at(-1)?.severityText).toBe('WARN');
  });
});

describe('the objects of the workload', () => {
  const objects = workloadObjects({ namespace: 'n', otlpEndpoint: 'http://c:4318', script: 'x', rate: 5 });
  it('are a namespace, a ConfigMap, four Deployments and three Services', () => {
    expect(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
      'Namespace/n',
      'ConfigMap/workload',
      'Deployment/rag-chat',
      'Deployment/vector-store',
      'Deployment/fake-model',
      'Deployment/load',
      'Service/rag-chat',
      'Service/vector-store',
      'Service/fake-model',
    ]);
    expect(objects.every(({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] === 'genai-obs-demo')).toBe(
      true,
    );
    expect(JSON.stringify(objects.at(5))).toContain('{"name":"RATE","value":"5"}');
  });
});

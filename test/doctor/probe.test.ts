import { describe, expect, it } from 'vitest';
import type { Answer, Kube, RequestOptions } from '../../src/adapters/kube.ts';
import type { Grafana } from '../../src/adapters/grafana.ts';
import type { ProbeResult } from '../../src/checks/lib/values.ts';
import { hopsOf, runProbe } from '../../src/doctor/probe/index.ts';
import { derive } from '../../src/doctor/probe/link.ts';
import { quickstart } from './support.ts';

type Call = { method: string; service: string; path: string; body?: string };
type Change = (call: Call) => Answer | undefined;

/** A stack in memory: backends return what the gateway received, unless `change` returns another response. */
function stack(change: Change = () => undefined) {
  const calls: Call[] = [];
  const sent: Record<string, string> = {};
  const answer = (call: Call): Answer => {
    calls.push(call);
    const changed = change(call);
    if (changed) return changed;
    if (call.service === 'opentelemetry-collector') {
      sent[call.path] = call.body ?? '';
      return { status: 200, body: '{}' };
    }
    return call.method === 'POST' ? { status: 204, body: '' } : backend(call, sent);
  };
  const kube = {
    context: 'example',
    server: 'https://example',
    service: (
      _ns: string,
      service: string,
      _port: number,
      path: string,
      { method = 'GET', body }: RequestOptions & { method?: string } = {},
    ) => Promise.resolve(answer({ method, service, path, ...(body === undefined ? {} : { body }) })),
  } as unknown as Kube;
  const grafana: Grafana = {
    request: (method, path) => {
      const proxied = /^\/api\/datasources\/proxy\/uid\/(\w+)(\/.*)$/.exec(path);
      return Promise.resolve(
        proxied
          ? answer({ method, service: `grafana/${proxied[1]}`, path: proxied[2] ?? '' })
          : answer({ method, service: 'grafana', path }),
      );
    },
    close: () => Promise.resolve(),
  };
  return { kube, grafana, calls };
}

const DATASOURCES: Record<string, unknown> = {
  '/api/datasources/uid/loki': {
    jsonData: {
      derivedFields: [{ name: 'Trace', matcherType: 'label', matcherRegex: 'trace_id', datasourceUid: 'tempo' }],
    },
  },
  '/api/datasources/uid/jaeger': {
    jsonData: {
      tracesToLogsV2: {
        datasourceUid: 'loki',
        customQuery: true,
        query: '{service_name=~".+"} | trace_id="${__trace.traceId}"',
      },
    },
  },
  '/api/datasources/uid/tempo': {
    jsonData: {
      tracesToLogsV2: {
        datasourceUid: 'loki',
        customQuery: true,
        query: '{${__tags}} | trace_id="${__trace.traceId}"',
        tags: [{ key: 'service.name', value: 'service_name' }],
      },
    },
  },
};

function backend({ service, path }: Call, sent: Record<string, string>): Answer {
  const reply = (body: unknown): Answer => ({ status: 200, body: JSON.stringify(body) });
  if (service === 'grafana') return reply(DATASOURCES[path]);
  if (service.endsWith('tempo')) {
    const traces = JSON.parse(sent['/v1/traces'] ?? '{}') as { resourceSpans?: unknown[] };
    return traces.resourceSpans ? reply({ batches: traces.resourceSpans }) : { status: 404, body: '' };
  }
  if (service.endsWith('jaeger'))
    return sent['/v1/traces'] ? reply(ofJaeger(sent['/v1/traces'])) : { status: 404, body: NO_TRACE };
  if (service.includes('prometheus'))
    return reply({
      status: 'success',
      data: { resultType: 'vector', result: sent['/v1/metrics'] ? [{ metric: {}, value: [1, '1'] }] : [] },
    });
  const logs = JSON.parse(sent['/v1/logs'] ?? '{}') as {
    resourceLogs?: { scopeLogs: { logRecords: { body: { stringValue: string }; traceId: string }[] }[] }[];
  };
  const record = logs.resourceLogs?.[0]?.scopeLogs[0]?.logRecords[0];
  return reply({
    data: {
      result: record
        ? [
            {
              stream: { service_name: 'genai-obs-probe', trace_id: record.traceId },
              values: [['1', record.body.stringValue]],
            },
          ]
        : [],
    },
  });
}

const NO_TRACE = '{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}';

interface Sent {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: { key: string; value: Record<string, string> }[];
}

/** A trace in the format of Jaeger 2.13: service.name is not among the tags. */
function ofJaeger(traces: string): unknown {
  const { resourceSpans } = JSON.parse(traces) as { resourceSpans: { scopeSpans: { spans: Sent[] }[] }[] };
  const spans = (resourceSpans[0]?.scopeSpans[0]?.spans ?? []).map(
    ({ traceId, spanId, parentSpanId, name, attributes }) => ({
      traceID: traceId,
      spanID: spanId,
      operationName: name,
      references: parentSpanId ? [{ refType: 'CHILD_OF', traceID: traceId, spanID: parentSpanId }] : [],
      tags: attributes.map(({ key, value }) => ({ key, type: 'string', value: Object.values(value)[0] })),
      processID: 'p1',
    }),
  );
  return {
    data: [{ traceID: spans[0]?.traceID, spans, processes: { p1: { serviceName: 'genai-obs-probe', tags: [] } } }],
    total: 0,
    errors: null,
  };
}

async function run(
  change?: Change,
  options: { abort?: boolean; config?: Record<string, unknown> } = {},
): Promise<ProbeResult & { calls: Call[] }> {
  const { kube, grafana, calls } = stack(change);
  const controller = new AbortController();
  if (options.abort) setTimeout(() => controller.abort(), 60);
  const result = await runProbe({
    kube,
    config: quickstart(options.config),
    grafana: () => Promise.resolve(grafana),
    signal: controller.signal,
    deadline: 400,
  });
  return { ...result, calls };
}

const states = (result: ProbeResult) => Object.fromEntries(result.hops.map((hop) => [hop.id, hop.status]));
const is404 =
  (service: string): Change =>
  (call) =>
    call.service === service && call.method === 'GET' ? { status: 404, body: '' } : undefined;

describe('probe', () => {
  it('passes all hops of a healthy stack in the order of the data, with the time of each', async () => {
    const result = await run();
    expect(result.hops.map((hop) => [hop.id, hop.status])).toEqual(hopsOf(quickstart()).map((id) => [id, 'ok']));
    expect(result.hops.every((hop) => hop.ms >= 0)).toBe(true);
    expect(result.trace).toEqual({ spans: 2, missingAttributes: [], connected: true });
    expect(result.firstBroken).toBeUndefined();
  });

  it('asks the sampler to keep its trace and has the gen_ai attributes', async () => {
    const { calls } = await run();
    const body = calls.find((call) => call.path === '/v1/traces')?.body ?? '';
    for (const part of ['sampling.priority', 'gen_ai.request.model', 'gen_ai.usage.input_tokens', 'genai-obs-probe'])
      expect(body).toContain(part);
  });

  it('names the first broken hop and skips those after it', async () => {
    const result = await run(is404('tempo'));
    expect(result.firstBroken).toBe('tempo');
    expect(states(result)).toMatchObject({
      'send-trace': 'ok',
      tempo: 'broken',
      'grafana-tempo': 'skipped',
      loki: 'ok',
      'grafana-loki': 'ok',
      'log-to-trace': 'skipped',
    });
    expect(result.hops.find((hop) => hop.id === 'tempo')?.fix).toContain(
      'kubectl --context example -n genai-observability logs',
    );
  });

  it('distinguishes a wrong datasource from a backend without the data', async () => {
    const result = await run((call) =>
      call.service === 'grafana/loki' ? { status: 502, body: 'bad gateway' } : undefined,
    );
    expect(result.firstBroken).toBe('grafana-loki');
    expect(result.hops.find((hop) => hop.id === 'grafana-loki')?.detail).toContain('502');
  });

  it('does not retry a wrong password', async () => {
    const result = await run((call) =>
      call.service.startsWith('grafana')
        ? { status: 401, body: '{"message":"invalid username or password"}' }
        : undefined,
    );
    const hop = result.hops.find(({ id }) => id === 'grafana-tempo');
    expect(hop).toMatchObject({ status: 'broken', detail: 'HTTP 401 invalid username or password' });
    expect(hop?.ms).toBeLessThan(200);
  });

  it('reports that the gateway refuses data', async () => {
    const result = await run((call) =>
      call.service === 'opentelemetry-collector'
        ? { status: 503, body: '{"message":"no endpoints available"}' }
        : undefined,
    );
    expect(result.firstBroken).toBe('send-trace');
    expect(result.hops[0]?.detail).toContain('no endpoints available');
  });

  it('reports derived fields that do not link to the trace', async () => {
    const wrong = {
      jsonData: { derivedFields: [{ name: 'x', matcherRegex: 'nothing=(\\w+)', datasourceUid: 'tempo' }] },
    };
    const result = await run((call) =>
      call.path === '/api/datasources/uid/loki' ? { status: 200, body: JSON.stringify(wrong) } : undefined,
    );
    expect(result.firstBroken).toBe('log-to-trace');
    expect(result.hops.find((hop) => hop.id === 'log-to-trace')?.detail).toContain('none of 1 derived field');
    expect(states(result)['trace-to-log']).toBe('ok');
  });

  it('reports attributes and parents that a processor removed', async () => {
    const strip = (call: Call): Answer | undefined => {
      if (call.service !== 'tempo') return undefined;
      const spans = [
        { spanId: 'AAAAAAAAAAA=', attributes: [] },
        { spanId: 'AQAAAAAAAAA=', parentSpanId: 'AAAAAAAAAAA=', attributes: [] },
      ];
      return { status: 200, body: JSON.stringify({ batches: [{ scopeSpans: [{ spans }] }] }) };
    };
    expect((await run(strip)).trace).toMatchObject({ spans: 2, connected: false });
  });

  it('deletes its series and log line by nonce, and reports what stays', async () => {
    const { calls, cleanup, nonce } = await run();
    const posts = calls
      .filter((call) => call.method === 'POST' && call.service !== 'opentelemetry-collector')
      .map((call) => decodeURIComponent(`${call.service}${call.path}`));
    expect(posts.find((path) => path.startsWith('prometheus-server/api/v1/admin/tsdb/delete_series'))).toContain(
      `genai_obs_probe{nonce="${nonce}"}`,
    );
    expect(posts.find((path) => path.startsWith('loki/loki/api/v1/delete'))).toContain(nonce);
    expect(cleanup).toMatchObject({
      ok: true,
      tempo: 'Tempo cannot delete: the trace expires with the retention of 48h',
    });
  });

  it('cleans up when cancelled, and reports no unfinished hop as ok', async () => {
    const result = await run(is404('tempo'), { abort: true });
    expect(result.calls.some((call) => call.path.startsWith('/api/v1/admin/tsdb/delete_series'))).toBe(true);
    expect(states(result)['tempo']).toBe('skipped');
    expect(result.hops.find((hop) => hop.id === 'tempo')?.detail).toBe('cancelled');
  });

  it('reports what it left behind when a backend refuses to delete', async () => {
    const { cleanup } = await run((call) =>
      call.path.startsWith('/api/v1/admin') ? { status: 404, body: 'admin APIs disabled' } : undefined,
    );
    expect(cleanup.ok).toBe(false);
    expect(cleanup.prometheus).toContain('admin APIs disabled');
  });

  it('creates no Kubernetes object: it sends requests to Services only', async () => {
    // The fake has no other method: any other call would throw.
    expect((await run()).hops.every((hop) => hop.status === 'ok')).toBe(true);
  });

  it('skips components that the profile does not have', async () => {
    const result = await run(undefined, { config: { 'tempo.enabled': false } });
    expect(states(result)).toMatchObject({
      tempo: 'skipped',
      'grafana-tempo': 'skipped',
      'log-to-trace': 'skipped',
      loki: 'ok',
    });
    expect(result.firstBroken).toBeUndefined();
  });
});

describe('probe, with traces in Jaeger', () => {
  const config = { 'tempo.enabled': false, jaeger: { enabled: true } };
  const toJaeger = {
    jsonData: {
      derivedFields: [{ name: 'Trace', matcherType: 'label', matcherRegex: 'trace_id', datasourceUid: 'jaeger' }],
    },
  };
  const linked: Change = ({ path }) =>
    path === '/api/datasources/uid/loki' ? { status: 200, body: JSON.stringify(toJaeger) } : undefined;

  it('reads the trace back from Jaeger and follows both links', async () => {
    const result = await run(linked, { config });
    expect(result.hops.map((hop) => [hop.id, hop.status])).toEqual(hopsOf(quickstart(config)).map((id) => [id, 'ok']));
    expect(Object.keys(states(result))).toEqual(expect.arrayContaining(['jaeger', 'grafana-jaeger']));
    expect(result.trace).toEqual({ spans: 2, missingAttributes: [], connected: true });
    expect(result.calls.filter(({ service }) => service.includes('tempo'))).toEqual([]);
    expect(result.cleanup.jaeger).toBe(
      'Jaeger cannot delete: the trace is dropped after 50000 newer traces, or when the pod restarts',
    );
  });

  it('names Jaeger when the trace does not arrive there', async () => {
    const result = await run(
      (call) => linked(call) ?? (call.service === 'jaeger' ? { status: 404, body: NO_TRACE } : undefined),
      { config },
    );
    expect(result.firstBroken).toBe('jaeger');
    expect(result.hops.find(({ id }) => id === 'jaeger')).toMatchObject({
      path: 'gateway → Jaeger',
      fix: expect.stringContaining('grep -i jaeger') as unknown,
    });
    expect(states(result)['grafana-jaeger']).toBe('skipped');
  });

  it('reports an empty query of tags alone, because Jaeger returns no service.name', async () => {
    const byTags = {
      jsonData: {
        tracesToLogsV2: {
          datasourceUid: 'loki',
          customQuery: true,
          query: '{${__tags}} | trace_id="${__trace.traceId}"',
        },
      },
    };
    const refused: Change = (call) => {
      if (call.path === '/api/datasources/uid/jaeger') return { status: 200, body: JSON.stringify(byTags) };
      return decodeURIComponent(call.path).includes('query={}')
        ? { status: 400, body: 'queries require at least one matcher' }
        : linked(call);
    };
    const result = await run(refused, { config });
    expect(result.hops.find(({ id }) => id === 'trace-to-log')).toMatchObject({
      status: 'broken',
      detail: expect.stringContaining('at least one matcher') as unknown,
    });
  });
});

describe('derived fields, as Grafana applies them', () => {
  const log = { line: 'level=info traceID=abc123 done', labels: { trace_id: 'def456', other: 'x' } };
  it('use the first group of a pattern on the line', () =>
    expect(derive(log, [{ name: 'T', matcherRegex: 'traceID=(\\w+)', datasourceUid: 'tempo' }])).toEqual([
      { field: 'T', value: 'abc123', uid: 'tempo' },
    ]));
  it('use the value of a label whose name matches', () =>
    expect(
      derive(log, [{ name: 'T', matcherType: 'label', matcherRegex: 'trace_id', datasourceUid: 'tempo' }])[0]?.value,
    ).toBe('def456'));
  it('give no link without a datasource', () =>
    expect(derive(log, [{ name: 'T', matcherRegex: 'traceID=(\\w+)' }])).toEqual([]));
});

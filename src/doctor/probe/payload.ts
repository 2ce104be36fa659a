import { randomBytes } from 'node:crypto';
import { PROBE_METRIC, PROBE_SERVICE } from '../../checks/lib/values.ts';

/** Identifies everything that one run of the probe writes. */
export interface Token {
  nonce: string;
  traceId: string;
  rootSpanId: string;
  chatSpanId: string;
  /** Milliseconds since the epoch. */
  at: number;
}

export function newToken(now: number): Token {
  return {
    nonce: randomBytes(8).toString('hex'),
    traceId: randomBytes(16).toString('hex'),
    rootSpanId: randomBytes(8).toString('hex'),
    chatSpanId: randomBytes(8).toString('hex'),
    at: now,
  };
}

/** Attributes that the gen_ai span must still have when it is read back. */
export const REQUIRED = [
  'gen_ai.operation.name',
  'gen_ai.provider.name',
  'gen_ai.request.model',
  'gen_ai.response.model',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
];

type Value = string | number;

function attributes(map: Record<string, Value>): unknown[] {
  return Object.entries(map).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
}

const resource = () => ({ attributes: attributes({ 'service.name': PROBE_SERVICE, 'service.version': '1' }) });
const scope = { name: PROBE_SERVICE };
const nanos = (ms: number) => `${ms}000000`;

/** Two spans, parent and child; `sampling.priority` makes a probabilistic sampler keep them at any rate. */
export function tracePayload(token: Token): string {
  const span = (
    name: string,
    spanId: string,
    kind: number,
    from: number,
    to: number,
    extra: Record<string, Value>,
    parentSpanId?: string,
  ) => ({
    traceId: token.traceId,
    spanId,
    ...(parentSpanId ? { parentSpanId } : {}),
    name,
    kind,
    startTimeUnixNano: nanos(token.at + from),
    endTimeUnixNano: nanos(token.at + to),
    attributes: attributes({ 'sampling.priority': 1, 'probe.nonce': token.nonce, ...extra }),
    status: { code: 1 },
  });
  const chat = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': PROBE_SERVICE,
    'gen_ai.request.model': 'probe-model',
    'gen_ai.response.model': 'probe-model',
    'gen_ai.usage.input_tokens': 1,
    'gen_ai.usage.output_tokens': 1,
  };
  const spans = [
    span('probe', token.rootSpanId, 1, 0, 3, {}),
    span('chat probe-model', token.chatSpanId, 3, 1, 2, chat, token.rootSpanId),
  ];
  return JSON.stringify({ resourceSpans: [{ resource: resource(), scopeSpans: [{ scope, spans }] }] });
}

export function metricPayload(token: Token): string {
  const dataPoints = [{ timeUnixNano: nanos(token.at), asDouble: 1, attributes: attributes({ nonce: token.nonce }) }];
  return JSON.stringify({
    resourceMetrics: [
      { resource: resource(), scopeMetrics: [{ scope, metrics: [{ name: PROBE_METRIC, gauge: { dataPoints } }] }] },
    ],
  });
}

export function logPayload(token: Token): string {
  const logRecords = [
    {
      timeUnixNano: nanos(token.at),
      observedTimeUnixNano: nanos(token.at),
      severityNumber: 9,
      severityText: 'INFO',
      body: { stringValue: `genai-obs probe ${token.nonce}` },
      traceId: token.traceId,
      spanId: token.chatSpanId,
      flags: 1,
      attributes: attributes({ nonce: token.nonce }),
    },
  ];
  return JSON.stringify({ resourceLogs: [{ resource: resource(), scopeLogs: [{ scope, logRecords }] }] });
}

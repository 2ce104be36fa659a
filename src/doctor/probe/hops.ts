import pRetry from 'p-retry';
import type { Grafana } from '../../adapters/grafana.ts';
import { type Answer, type Kube, KubeError } from '../../adapters/kube.ts';
import { queryPrometheus } from '../../adapters/prometheus.ts';
import { PROBE_METRIC, PROBE_SERVICE } from '../../checks/lib/values.ts';
import { messageOf } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import { placeOf } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';
import type { Token } from './payload.ts';

export interface ProbeOptions {
  kube: Kube;
  config: Config;
  grafana: () => Promise<Grafana>;
  signal: AbortSignal;
  onStep?: (text: string) => void;
  /** Milliseconds that one hop may take; default 30 000. */
  deadline?: number;
}

/** `undefined`: not there yet. @throws when the request failed; the last reason is reported at the deadline */
export type Seek<T> = () => Promise<T | undefined>;

export interface Found<T> {
  value?: T;
  ms: number;
  error?: string;
}

/** Repeats `seek` until it finds a value, the deadline (milliseconds) is over or the run is cancelled. Never throws. */
export async function poll<T>(seek: Seek<T>, deadline: number, signal: AbortSignal): Promise<Found<T>> {
  const start = Date.now();
  const attempt = async (): Promise<T> => {
    const value = await seek();
    if (value === undefined) throw new Error('not found');
    return value;
  };
  try {
    const value = await pRetry(attempt, {
      retries: Infinity,
      minTimeout: 150,
      factor: 1.5,
      maxTimeout: 1_000,
      maxRetryTime: deadline,
      signal,
      // Grafana locks an account after five wrong passwords.
      shouldRetry: ({ error }) => !(error instanceof KubeError && error.status === 401),
    });
    return { value, ms: Date.now() - start };
  } catch (error) {
    return { ms: Date.now() - start, error: signal.aborted ? 'cancelled' : oneLine(messageOf(error), 200) };
  }
}

/** Sends one OTLP payload to the gateway; retries for 2 s, because a pod may be shutting down. */
export async function send(
  { kube, config, signal }: ProbeOptions,
  kind: 'traces' | 'metrics' | 'logs',
  body: string,
): Promise<Found<true>> {
  const { namespace, service } = placeOf(config, 'opentelemetry-collector');
  const post = async (): Promise<true> => {
    const answer = await kube.service(namespace, service.name, service.port, `/v1/${kind}`, {
      method: 'POST',
      body,
      timeout: 8_000,
    });
    if (answer.status !== 200) throw new Error(refusal(answer));
    return true;
  };
  return poll(post, 2_000, signal);
}

function refusal({ status, body }: Answer): string {
  let reason = body;
  try {
    reason = (JSON.parse(body) as { message?: string }).message ?? body;
  } catch {
    // Not JSON: the text itself.
  }
  return `HTTP ${status} ${oneLine(reason, 160)}`.trim();
}

/** Body of a response that must be 200; undefined for 404, which means not there yet. @throws KubeError */
export function bodyOf(answer: Answer): string | undefined {
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new KubeError(answer.status, 'Answer', refusal(answer));
  return answer.body;
}

export type Ask = (path: string) => Promise<Answer>;

/** A backend, through the API server. */
export function direct({ kube, config }: ProbeOptions, component: 'tempo' | 'jaeger' | 'loki'): Ask {
  const { namespace, service } = placeOf(config, component);
  return (path) => kube.service(namespace, service.name, service.port, path, { timeout: 8_000 });
}

/** The same backend, through Grafana's datasource. */
export function throughGrafana(options: ProbeOptions, uid: string): Ask {
  return async (path) => (await options.grafana()).request('GET', `/api/datasources/proxy/uid/${uid}${path}`);
}

export interface SpanRead {
  spanId: string;
  parentSpanId: string;
  attributes: string[];
}

interface RawSpan {
  spanId?: string;
  parentSpanId?: string;
  attributes?: { key: string }[];
}

interface Batch {
  scopeSpans?: { spans?: RawSpan[] }[];
  instrumentationLibrarySpans?: { spans?: RawSpan[] }[];
}

/** `batches` is Tempo's v1 name, `resourceSpans` OTLP's. */
interface TempoTrace {
  batches?: Batch[];
  resourceSpans?: Batch[];
  trace?: { resourceSpans?: Batch[] };
}

/** Jaeger's API responds in its own format, not in OTLP. */
interface JaegerSpan {
  spanID?: string;
  references?: { refType: string; spanID: string }[];
  tags?: { key: string }[];
}

/** The probe's trace with both spans; Tempo and Jaeger serve it at the same path. */
export function seekTrace(ask: Ask, token: Token): Seek<SpanRead[]> {
  return async () => {
    const body = bodyOf(await ask(`/api/traces/${token.traceId}`));
    if (!body) return undefined;
    const answer = JSON.parse(body) as { data?: { spans?: JaegerSpan[] }[] } & TempoTrace;
    const spans = answer.data ? answer.data.flatMap((trace) => trace.spans ?? []).map(ofJaeger) : ofTempo(answer);
    return spans.length < 2 ? undefined : spans;
  };
}

function ofTempo(answer: TempoTrace): SpanRead[] {
  const batches = answer.batches ?? answer.resourceSpans ?? answer.trace?.resourceSpans ?? [];
  const spans = batches.flatMap((batch) =>
    (batch.scopeSpans ?? batch.instrumentationLibrarySpans ?? []).flatMap((scope) => scope.spans ?? []),
  );
  return spans.map((span) => ({
    spanId: hexId(span.spanId),
    parentSpanId: hexId(span.parentSpanId),
    attributes: (span.attributes ?? []).map((a) => a.key),
  }));
}

function ofJaeger({ spanID = '', references = [], tags = [] }: JaegerSpan): SpanRead {
  const parent = references.find(({ refType }) => refType === 'CHILD_OF');
  return { spanId: spanID, parentSpanId: parent?.spanID ?? '', attributes: tags.map(({ key }) => key) };
}

/** Tempo writes ids as base64, OTLP/JSON as hex. */
function hexId(id = ''): string {
  return /^[0-9a-f]{16}$/.test(id) ? id : Buffer.from(id, 'base64').toString('hex');
}

export interface LogRead {
  line: string;
  labels: Record<string, string>;
}

/** The probe's log line with its labels and structured metadata. */
export function seekLog(
  ask: Ask,
  token: Token,
  expr = `{service_name="${PROBE_SERVICE}"} |= "${token.nonce}"`,
): Seek<LogRead> {
  return async () => {
    const range = `start=${(token.at - 60_000) * 1e6}&end=${(Date.now() + 60_000) * 1e6}`;
    const body = bodyOf(await ask(`/loki/api/v1/query_range?query=${encodeURIComponent(expr)}&limit=5&${range}`));
    if (!body) return undefined;
    const answer = JSON.parse(body) as {
      data?: { result?: { stream: Record<string, string>; values: [string, string][] }[] };
    };
    const stream = answer.data?.result?.find((one) => one.values.some(([, line]) => line.includes(token.nonce)));
    const line = stream?.values.find(([, text]) => text.includes(token.nonce))?.[1];
    return stream && line !== undefined ? { line, labels: stream.stream } : undefined;
  };
}

const selector = (token: Token) => `${PROBE_METRIC}{nonce="${token.nonce}"}`;

export function seekMetric({ kube, config }: ProbeOptions, token: Token): Seek<true> {
  const place = placeOf(config, 'prometheus');
  return async () => ((await queryPrometheus(kube, place, selector(token))).length ? true : undefined);
}

export function seekMetricThroughGrafana(options: ProbeOptions, token: Token): Seek<true> {
  const ask = throughGrafana(options, 'prometheus');
  return async () => {
    const body = bodyOf(await ask(`/api/v1/query?query=${encodeURIComponent(selector(token))}`));
    const answer = JSON.parse(body ?? '{}') as { data?: { result?: unknown[] } };
    return answer.data?.result?.length ? true : undefined;
  };
}

import type { Answer } from '../../adapters/kube.ts';
import { KubeError } from '../../adapters/kube.ts';
import { placeOf } from '../../parts/catalog.ts';
import { messageOf } from '../../core/errors.ts';
import { query } from '../facts/promql.ts';
import { PROBE_METRIC, PROBE_SERVICE } from '../../checks/lib/values.ts';
import type { Token } from './payload.ts';
import type { ProbeOptions } from './types.ts';

/** `undefined`: not there yet. @throws when asking failed; the last reason is told when time is up */
export type Seek<T> = () => Promise<T | undefined>;

export interface Found<T> {
  value?: T;
  ms: number;
  error?: string;
}

/** Asks until the answer is there, the deadline is over or the run is cancelled. */
export async function poll<T>(seek: Seek<T>, deadline: number, signal: AbortSignal): Promise<Found<T>> {
  const start = Date.now();
  let wait = 150;
  let error: string | undefined;
  while (!signal.aborted) {
    try {
      const value = await seek();
      error = undefined;
      if (value !== undefined) return { value, ms: Date.now() - start };
    } catch (failure) {
      error = messageOf(failure).replace(/\s+/g, ' ').slice(0, 200);
      // Wrong credentials do not become right by waiting.
      if (failure instanceof KubeError && failure.status === 401) break;
    }
    if (Date.now() - start + wait > deadline) break;
    await pause(wait, signal);
    wait = Math.min(1_000, wait * 1.5);
  }
  return { ms: Date.now() - start, error: signal.aborted ? 'cancelled' : (error ?? 'not found') };
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => (clearTimeout(timer), signal.removeEventListener('abort', done), resolve());
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Sends one OTLP payload to the gateway; retried once, because a pod may just be leaving. */
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
  return `HTTP ${status} ${reason.replace(/\s+/g, ' ').slice(0, 160)}`.trim();
}

/** Body of an answer that must be 200; 404 means not there yet. */
export function bodyOf(answer: Answer): string | undefined {
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new KubeError(answer.status, 'Answer', refusal(answer));
  return answer.body;
}

export type Ask = (path: string) => Promise<Answer>;

/** A backend itself, through the API server. */
export function direct({ kube, config }: ProbeOptions, component: 'tempo' | 'jaeger' | 'loki'): Ask {
  const { namespace, service } = placeOf(config, component);
  return (path) => kube.service(namespace, service.name, service.port, path, { timeout: 8_000 });
}

/** The same backend as Grafana reaches it. */
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

/** Jaeger's own form, which its API answers with whatever it was sent. */
interface JaegerSpan {
  spanID?: string;
  references?: { refType: string; spanID: string }[];
  tags?: { key: string }[];
}

/** The probe's trace with both spans, from Tempo or Jaeger: both are asked by the same path. */
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

/** Tempo writes ids in JSON as base64, OTLP wants hex. */
function hexId(id = ''): string {
  return /^[0-9a-f]{16}$/.test(id) ? id : Buffer.from(id, 'base64').toString('hex');
}

export interface LogRead {
  line: string;
  labels: Record<string, string>;
}

/** The probe's log line with all of its labels, structured metadata among them. */
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
  return async () => ((await query(kube, config, selector(token))).length ? true : undefined);
}

export function seekMetricThroughGrafana(options: ProbeOptions, token: Token): Seek<true> {
  const ask = throughGrafana(options, 'prometheus');
  return async () => {
    const body = bodyOf(await ask(`/api/v1/query?query=${encodeURIComponent(selector(token))}`));
    const answer = JSON.parse(body ?? '{}') as { data?: { result?: unknown[] } };
    return answer.data?.result?.length ? true : undefined;
  };
}

import type { Hop, ProbeResult } from '../../checks/lib/values.ts';
import { messageOf } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import { traceStore } from '../../parts/addresses.ts';
import { placeOf } from '../../parts/catalog.ts';
import { type Config, isEnabled } from '../../profile/schema.ts';
import { hopCauses } from './causes.ts';
import { cleanUp } from './cleanup.ts';
import {
  direct,
  poll,
  seekLog,
  seekMetric,
  seekMetricThroughGrafana,
  seekTrace,
  send,
  throughGrafana,
  type Found,
  type LogRead,
  type ProbeOptions,
  type Seek,
  type SpanRead,
} from './hops.ts';
import { followLog, followTrace } from './link.ts';
import { REQUIRED, logPayload, metricPayload, newToken, tracePayload, type Token } from './payload.ts';

/** Ids of the hops in the order in which data flows. */
export function hopsOf(config: Config): string[] {
  const stores = [traceStore(config) ?? 'tempo', 'prometheus', 'loki'];
  return [
    'send-trace',
    'send-metric',
    'send-log',
    ...stores,
    ...stores.map((id) => `grafana-${id}`),
    'log-to-trace',
    'trace-to-log',
  ];
}

/**
 * Sends one gen_ai trace, metric and log with a nonce through the gateway. Reads them back from the backends and
 * through Grafana. Creates no Kubernetes object, removes what it wrote, and never throws.
 */
export async function runProbe(options: ProbeOptions): Promise<ProbeResult> {
  const token = newToken(Date.now());
  const started = Date.now();
  const found: { trace?: SpanRead[]; log?: LogRead } = {};
  let hops: Hop[] = [];
  let cleanup: ProbeResult['cleanup'];
  try {
    const chains = await Promise.all([
      traceChain(options, token, found),
      metricChain(options, token),
      logChain(options, token, found),
    ]);
    hops = [...chains.flat(), ...(await linkChain(options, token, found))];
  } finally {
    options.onStep?.('cleaning up');
    cleanup = await cleanUp(options, token);
  }
  const ids = hopsOf(options.config);
  const order = (hop: Hop) => ids.indexOf(hop.id);
  hops.sort((a, b) => order(a) - order(b));
  const broken = hops.find((hop) => hop.status === 'broken');
  return {
    nonce: token.nonce,
    traceId: token.traceId,
    startedAt: new Date(token.at).toISOString(),
    ms: Date.now() - started,
    hops,
    ...(broken ? { firstBroken: broken.id } : {}),
    ...(found.trace ? { trace: traceSummary(found.trace, token) } : {}),
    cleanup,
  };
}

function traceSummary(spans: SpanRead[], token: Token): NonNullable<ProbeResult['trace']> {
  const chat = spans.find((span) => span.spanId === token.chatSpanId);
  return {
    spans: spans.length,
    missingAttributes: REQUIRED.filter((name) => !chat?.attributes.includes(name)),
    connected: chat?.parentSpanId === token.rootSpanId && spans.some((span) => span.spanId === token.rootSpanId),
  };
}

/** Runs hops one after another; skips those after a broken one. */
function chain(options: ProbeOptions, signal: Hop['signal']) {
  const hops: Hop[] = [];
  const { kube, config } = options;
  const causes = hopCauses(config, (id) => `kubectl --context ${kube.context} -n ${placeOf(config, id).namespace}`);
  let broken: string | undefined;
  const record = (id: string, status: Hop['status'], ms: number, detail: string): void => {
    const { path = id, cause, fix } = causes[id] ?? {};
    const hop = { id, signal, path, status, ms, detail };
    hops.push(status === 'broken' ? { ...hop, ...(cause ? { cause } : {}), ...(fix ? { fix } : {}) } : hop);
    if (status === 'broken') broken = path;
  };
  const step = async <T>(id: string, act: () => Promise<Found<T>>, unless?: string): Promise<T | undefined> => {
    const why = unless ?? (broken && `not tried: ${broken} is broken`) ?? (options.signal.aborted ? 'cancelled' : '');
    if (why) {
      record(id, 'skipped', 0, why);
      return undefined;
    }
    options.onStep?.(causes[id]?.path ?? id);
    const { value, ms, error } = await act();
    if (value !== undefined) record(id, 'ok', ms, typeof value === 'string' ? value : 'arrived');
    else if (options.signal.aborted) record(id, 'skipped', ms, 'cancelled');
    else record(id, 'broken', ms, error ?? 'not found');
    return value;
  };
  const seek = <T>(id: string, read: Seek<T>, unless?: string) =>
    step(id, () => poll(read, options.deadline ?? 30_000, options.signal), unless);
  return { hops, step, seek };
}

type Backend = 'tempo' | 'jaeger' | 'loki' | 'prometheus' | 'grafana';

/** Why a hop that needs these components does not apply. */
function disabled(config: Config, ...components: Backend[]): string | undefined {
  const missing = components.find((id) => !isEnabled(config, id));
  return missing && `${missing}.enabled is false`;
}

async function traceChain(options: ProbeOptions, token: Token, found: { trace?: SpanRead[] }): Promise<Hop[]> {
  const { hops, step, seek } = chain(options, 'trace');
  await step('send-trace', () => send(options, 'traces', tracePayload(token)));
  const store = traceStore(options.config) ?? 'tempo';
  const spans = await seek(store, seekTrace(direct(options, store), token), disabled(options.config, store));
  if (spans) found.trace = spans;
  await seek(
    `grafana-${store}`,
    seekTrace(throughGrafana(options, store), token),
    disabled(options.config, store, 'grafana'),
  );
  return hops;
}

async function metricChain(options: ProbeOptions, token: Token): Promise<Hop[]> {
  const { hops, step, seek } = chain(options, 'metric');
  await step('send-metric', () => send(options, 'metrics', metricPayload(token)));
  await seek('prometheus', seekMetric(options, token), disabled(options.config, 'prometheus'));
  await seek(
    'grafana-prometheus',
    seekMetricThroughGrafana(options, token),
    disabled(options.config, 'prometheus', 'grafana'),
  );
  return hops;
}

async function logChain(options: ProbeOptions, token: Token, found: { log?: LogRead }): Promise<Hop[]> {
  const { hops, step, seek } = chain(options, 'log');
  await step('send-log', () => send(options, 'logs', logPayload(token)));
  const log = await seek('loki', seekLog(direct(options, 'loki'), token), disabled(options.config, 'loki'));
  if (log) found.log = log;
  await seek(
    'grafana-loki',
    seekLog(throughGrafana(options, 'loki'), token),
    disabled(options.config, 'loki', 'grafana'),
  );
  return hops;
}

/** Each direction of the link may work without the other. */
async function linkChain(
  options: ProbeOptions,
  token: Token,
  { trace, log }: { trace?: SpanRead[]; log?: LogRead },
): Promise<Hop[]> {
  const absent =
    disabled(options.config, traceStore(options.config) ?? 'tempo', 'loki', 'grafana') ??
    (trace && log ? undefined : 'not tried: the trace or the log did not arrive');
  const one = async (id: string, follow: () => Promise<string>): Promise<Hop[]> => {
    const { hops, step } = chain(options, 'link');
    await step(id, () => timed(follow), absent);
    return hops;
  };
  const hops = await Promise.all([
    one('log-to-trace', () => followLog(options, log as LogRead, token)),
    one('trace-to-log', () => followTrace(options, token)),
  ]);
  return hops.flat();
}

async function timed(act: () => Promise<string>): Promise<Found<string>> {
  const start = Date.now();
  try {
    return { value: await act(), ms: Date.now() - start };
  } catch (error) {
    return { ms: Date.now() - start, error: oneLine(messageOf(error), 200) };
  }
}

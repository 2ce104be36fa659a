import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ERROR_TYPE } from './semconv.ts';
import type { Telemetry } from './telemetry.ts';

const BODY_LIMIT = 512 * 1024;
const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** A response whose status is not 2xx. */
export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Value of `error.type`, which must have low cardinality: a status, `timeout` or the code of a network error. */
export function errorType(error: unknown): string {
  if (error instanceof HttpError) return String(error.status);
  if (error instanceof Error && error.name === 'TimeoutError') return 'timeout';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '_OTHER';
}

async function readJson(message: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > BODY_LIMIT) throw new HttpError(413, 'body too large');
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw new HttpError(400, 'not JSON');
  }
}

/** POSTs JSON and propagates the active span as traceparent. */
export function postJson(base: URL, path: string, body: unknown, timeoutMs = 30_000): Promise<unknown> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  propagation.inject(context.active(), headers);
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const call = request(new URL(path, base), { method: 'POST', agent, headers, signal }, (answer) => {
      const status = answer.statusCode ?? 0;
      readJson(answer).then(
        (json) => (status < 300 ? resolve(json) : reject(new HttpError(status, `${path}: HTTP ${status}`))),
        (error) => reject(signal.aborted ? signal.reason : error),
      );
    });
    call.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    call.end(JSON.stringify(body));
  });
}

export interface Answer {
  status?: number;
  body: unknown;
}
export type Handler = (body: unknown) => Promise<Answer>;

async function answerTo(handler: Handler, message: IncomingMessage): Promise<Required<Answer>> {
  try {
    return { status: 200, ...(await handler(await readJson(message))) };
  } catch (error) {
    return { status: error instanceof HttpError ? error.status : 500, body: { error: { type: errorType(error) } } };
  }
}

/** Serves POST routes, each in a server span that continues the caller's trace. GET /healthz is not traced. */
export function serve(telemetry: Telemetry, port: number, routes: Record<string, Handler>): Promise<Server> {
  const server = createServer((message, response) => {
    const path = (message.url ?? '/').split('?')[0] ?? '/';
    const reply = ({ status, body }: Required<Answer>): void => {
      // Shutting down: tell the client not to reuse this connection.
      if (!server.listening) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (message.method === 'GET' && path === '/healthz') return reply({ status: 200, body: { ok: true } });
    const handler = message.method === 'POST' ? routes[path] : undefined;
    if (!handler) return reply({ status: 404, body: { error: { type: '404' } } });

    const parent = propagation.extract(ROOT_CONTEXT, message.headers);
    const attributes = { 'http.request.method': 'POST', 'http.route': path, 'url.path': path, 'url.scheme': 'http' };
    const span = telemetry.tracer.startSpan(`POST ${path}`, { kind: SpanKind.SERVER, attributes }, parent);
    void context.with(trace.setSpan(parent, span), async () => {
      const answer = await answerTo(handler, message);
      span.setAttribute('http.response.status_code', answer.status);
      if (answer.status >= 500) {
        span.setAttribute(ERROR_TYPE, String(answer.status)).setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
      reply(answer);
    });
  });
  server.keepAliveTimeout = 65_000;
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, () => resolve(server)));
}

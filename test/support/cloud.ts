import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** What came in and was let in. */
export interface Arrival {
  path: string;
  signal: string;
  contentType: string;
  encoding: string;
  bytes: number;
  /** What was sent, unpacked if it was gzip: names and values stand in it readably, in protobuf, too. */
  body: Buffer;
}

export interface StandInOptions {
  /** Instance id and token that are known; default 123456 and `glc_standin`. */
  user?: string;
  token?: string;
  /** Scopes of the token; default all three. */
  scopes?: string[];
  /** Where to listen; default 127.0.0.1. Pods of the bed reach its host's side of the link alone. */
  host?: string;
  /** Instead of judging: what every request gets. */
  always?: { status: number; body?: string; headers?: Record<string, string> };
}

/** Grafana Cloud on this machine: its three ways in, with their authentication and the headers that they insist on. */
export interface StandIn {
  /** `http://HOST:PORT`. */
  url: string;
  endpoints: { otlp: string; prometheus: string; loki: string };
  arrivals: Arrival[];
  /** Every request that came, let in or not: `path status`. */
  answers: string[];
  close: () => Promise<void>;
}

/** Path → what it takes; OTLP in both encodings, remote write as snappy protobuf, Loki as JSON or snappy protobuf. */
const WAYS: Record<string, { signal: string; ok: number; takes: (type: string, encoding: string) => boolean }> = {
  ...Object.fromEntries(
    ['metrics', 'logs', 'traces'].map((signal) => [
      `/otlp/v1/${signal}`,
      { signal, ok: 200, takes: (type: string) => type === 'application/json' || type === 'application/x-protobuf' },
    ]),
  ),
  '/api/prom/push': {
    signal: 'metrics',
    ok: 200,
    takes: (type, encoding) => type === 'application/x-protobuf' && encoding === 'snappy',
  },
  '/loki/api/v1/push': {
    signal: 'logs',
    ok: 204,
    takes: (type) => type === 'application/json' || type === 'application/x-protobuf',
  },
};

export async function standIn(options: StandInOptions = {}): Promise<StandIn> {
  const {
    user = '123456',
    token = 'glc_standin',
    scopes = ['metrics:write', 'logs:write', 'traces:write'],
    host = '127.0.0.1',
    always,
  } = options;
  const arrivals: Arrival[] = [];
  const answers: string[] = [];
  const known = `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;

  const judge = (
    request: IncomingMessage,
    sent: Buffer,
  ): { status: number; body?: string; headers?: Record<string, string> } => {
    if (always) return always;
    const path = (request.url ?? '').split('?')[0] ?? '';
    const way = WAYS[path];
    if (!way) return { status: 404, body: 'page not found' };
    if (request.method !== 'POST') return { status: 405 };
    if (request.headers.authorization !== known)
      return { status: 401, body: '{"status":"error","error":"authentication error: invalid token"}' };
    if (!scopes.includes(`${way.signal}:write`))
      return { status: 403, body: '{"status":"error","error":"authentication error: invalid scope requested"}' };
    const contentType = request.headers['content-type'] ?? '';
    const encoding = request.headers['content-encoding'] ?? '';
    if (!way.takes(contentType, encoding)) return { status: 415, body: `not taken: ${contentType} ${encoding}` };
    const body = encoding === 'gzip' ? gunzipSync(sent) : sent;
    arrivals.push({ path, signal: way.signal, contentType, encoding, bytes: sent.length, body });
    return { status: way.ok, ...(way.ok === 200 ? { body: '{}' } : {}) };
  };

  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status, body = '', headers = {} } = judge(request, Buffer.concat(chunks));
      answers.push(`${request.url} ${status}`);
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const url = `http://${host}:${(server.address() as AddressInfo).port}`;
  return {
    url,
    endpoints: { otlp: `${url}/otlp`, prometheus: `${url}/api/prom/push`, loki: `${url}/loki/api/v1/push` },
    arrivals,
    answers,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  };
}

import { type IncomingMessage, createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { listen } from './server.ts';

/** An accepted write. */
export interface Arrival {
  path: string;
  signal: string;
  contentType: string;
  encoding: string;
  bytes: number;
  /** The body, decompressed if it was gzip. Names and values are readable, even in protobuf. */
  body: Buffer;
}

export interface FakeCloudOptions {
  /** The only accepted instance ID and token; default 123456 and `glc_standin`. */
  user?: string;
  token?: string;
  /** Scopes of the token; default: all three. */
  scopes?: string[];
  /** Address to listen on; default 127.0.0.1. Pods of the test bed can only reach the host's side of its veth pair. */
  host?: string;
  /** Respond to every request with this, without checking it. */
  always?: { status: number; body?: string; headers?: Record<string, string> };
}

/** A fake Grafana Cloud: its three ingest APIs, with authentication and the headers they require. */
export interface FakeCloud {
  /** `http://HOST:PORT`. */
  url: string;
  endpoints: { otlp: string; prometheus: string; loki: string };
  arrivals: Arrival[];
  /** Every request, accepted or not: `path status`. */
  answers: string[];
  close: () => Promise<void>;
}

/** Accepted formats by path: OTLP in both encodings, remote write as snappy protobuf, Loki as JSON or protobuf. */
const ROUTES: Record<string, { signal: string; ok: number; accepts: (type: string, encoding: string) => boolean }> = {
  ...Object.fromEntries(
    ['metrics', 'logs', 'traces'].map((signal) => [
      `/otlp/v1/${signal}`,
      { signal, ok: 200, accepts: (type: string) => type === 'application/json' || type === 'application/x-protobuf' },
    ]),
  ),
  '/api/prom/push': {
    signal: 'metrics',
    ok: 200,
    accepts: (type, encoding) => type === 'application/x-protobuf' && encoding === 'snappy',
  },
  '/loki/api/v1/push': {
    signal: 'logs',
    ok: 204,
    accepts: (type) => type === 'application/json' || type === 'application/x-protobuf',
  },
};

export async function fakeCloud(options: FakeCloudOptions = {}): Promise<FakeCloud> {
  const {
    user = '123456',
    token = 'glc_standin',
    scopes = ['metrics:write', 'logs:write', 'traces:write'],
    host = '127.0.0.1',
    always,
  } = options;
  const arrivals: Arrival[] = [];
  const answers: string[] = [];
  const authorization = `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;

  const respond = (request: IncomingMessage, sent: Buffer): NonNullable<FakeCloudOptions['always']> => {
    if (always) return always;
    const path = (request.url ?? '').split('?')[0] ?? '';
    const route = ROUTES[path];
    if (!route) return { status: 404, body: 'page not found' };
    if (request.method !== 'POST') return { status: 405 };
    if (request.headers.authorization !== authorization)
      return { status: 401, body: '{"status":"error","error":"authentication error: invalid token"}' };
    if (!scopes.includes(`${route.signal}:write`))
      return { status: 403, body: '{"status":"error","error":"authentication error: invalid scope requested"}' };
    const contentType = request.headers['content-type'] ?? '';
    const encoding = request.headers['content-encoding'] ?? '';
    if (!route.accepts(contentType, encoding))
      return { status: 415, body: `unsupported format: ${contentType} ${encoding}` };
    const body = encoding === 'gzip' ? gunzipSync(sent) : sent;
    arrivals.push({ path, signal: route.signal, contentType, encoding, bytes: sent.length, body });
    return { status: route.ok, ...(route.ok === 200 ? { body: '{}' } : {}) };
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status, body = '', headers = {} } = respond(request, Buffer.concat(chunks));
      answers.push(`${request.url} ${status}`);
      response.writeHead(status, headers).end(body);
    });
  });
  const { port, close } = await listen(server, host);
  const url = `http://${host}:${port}`;
  return {
    url,
    endpoints: { otlp: `${url}/otlp`, prometheus: `${url}/api/prom/push`, loki: `${url}/loki/api/v1/push` },
    arrivals,
    answers,
    close,
  };
}

import { type RequestListener, createServer } from 'node:http';
import {
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  createServer as createHttp2Server,
  createSecureServer as createSecureHttp2Server,
} from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import type { Server as NetServer } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { OtlpProtocol } from '../../../src/parts/collectors/endpoint.ts';
import { listen } from '../../support/server.ts';

export interface Delivery {
  /** Path of the request: `/v1/traces`, or the gRPC method. */
  path: string;
  contentType: string;
  /** Trace context of the request itself, if it was traced. */
  traceparent: string;
  body: Buffer;
}

export interface Receiver {
  url: Record<OtlpProtocol, string>;
  deliveries: Delivery[];
  close: () => void;
}

/** Contents of PEM files. */
export interface Identity {
  ca: Buffer;
  cert: Buffer;
  key: Buffer;
}

/**
 * An OTLP receiver on loopback that records everything: HTTP on one port, gRPC on another, as in the gateway.
 * With an identity, it requires client certificates of the same CA.
 */
export async function otlpReceiver(identity?: Identity): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const tls = identity && { ...identity, requestCert: true, rejectUnauthorized: true };
  const record: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      deliveries.push({
        path: request.url ?? '',
        contentType: request.headers['content-type'] ?? '',
        traceparent: String(request.headers['traceparent'] ?? ''),
        body,
      });
      response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end();
    });
  };
  const http = tls ? createSecureServer(tls, record) : createServer(record);
  const grpc = tls ? createSecureHttp2Server(tls) : createHttp2Server();
  grpc.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      // A gRPC message starts with one byte for the compression and four for the length.
      const raw = Buffer.concat(chunks);
      const body = raw[0] === 1 ? gunzipSync(raw.subarray(5)) : raw.subarray(5);
      deliveries.push({
        path: headers[':path'] ?? '',
        contentType: headers['content-type'] ?? '',
        traceparent: String(headers['traceparent'] ?? ''),
        body,
      });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  const urlOf = async (server: NetServer): Promise<string> =>
    `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${(await listen(server)).port}`;
  return {
    url: { grpc: await urlOf(grpc), 'http/protobuf': await urlOf(http) },
    deliveries,
    close: () => void (http.close(), grpc.close()),
  };
}

/** Encodes an attribute with a short text in protobuf: KeyValue{1: key, 2: AnyValue{1: text}}. */
export function attributeBytes(key: string, text: string): Buffer {
  const field = (tag: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  return Buffer.concat([field(0x0a, Buffer.from(key)), field(0x12, field(0x0a, Buffer.from(text)))]);
}

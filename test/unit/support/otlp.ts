import { type Server, createServer } from 'node:http';
import { type Http2Server, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { OtlpProtocol } from '../../../src/components/gateway.ts';

export interface Delivery {
  /** Of the request: `/v1/traces`, or the gRPC method. */
  path: string;
  contentType: string;
  /** The trace that the request itself belongs to. */
  traceparent: string;
  body: Buffer;
}

export interface Receiver {
  url: Record<OtlpProtocol, string>;
  deliveries: Delivery[];
  close: () => void;
}

/** An OTLP receiver on loopback that takes everything, and remembers it: HTTP on one port, gRPC on another, as at the gateway. */
export async function otlpReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const http = createServer((request, response) => {
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
  });
  const grpc = createHttp2Server();
  grpc.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      // A message begins with one byte for its compression and four for its length.
      const raw = Buffer.concat(chunks);
      const body = raw[0] === 1 ? gunzipSync(raw.subarray(5)) : raw.subarray(5);
      deliveries.push({ path: headers[':path'] ?? '', contentType: headers['content-type'] ?? '', traceparent: String(headers['traceparent'] ?? ''), body });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  const listen = (server: Server | Http2Server): Promise<string> =>
    new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)));
  return { url: { grpc: await listen(grpc), 'http/protobuf': await listen(http) }, deliveries, close: () => void (http.close(), grpc.close()) };
}

/** The bytes of an attribute with a short text, as protobuf has them: KeyValue{1: key, 2: AnyValue{1: text}}. */
export function attributeBytes(key: string, text: string): Buffer {
  const field = (tag: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  return Buffer.concat([field(0x0a, Buffer.from(key)), field(0x12, field(0x0a, Buffer.from(text)))]);
}

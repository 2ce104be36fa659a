import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { type Kube, connect } from '../../../src/adapters/kube.ts';
import { listen } from '../../support/server.ts';

export interface Asked {
  method: string;
  /** Path and query, as sent. */
  url: string;
  contentType: string | undefined;
  body: string;
}

export interface ApiServer {
  kube: Kube;
  /** Requests so far, in the order in which they were complete. */
  asked: Asked[];
  /** The response. Undefined: none; `'reset'`: resets the connection. */
  answer: (
    asked: Asked,
    request: IncomingMessage,
  ) => { status: number; body: string } | 'reset' | undefined | Promise<{ status: number; body: string }>;
  close(): void;
}

/**
 * A local HTTP server with the path prefix /base, and the real client connected to it.
 * The kubeconfig has the contexts one (current) and two; the client uses two.
 */
export async function apiServer(): Promise<ApiServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        url: request.url ?? '',
        contentType: request.headers['content-type'],
        body: Buffer.concat(chunks).toString(),
      };
      asked.push(one);
      void (async () => {
        const said = await api.answer(one, request);
        if (said === 'reset') request.socket.resetAndDestroy();
        else if (said) response.writeHead(said.status).end(said.body);
      })();
    });
  });
  const listening = await listen(server);
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-api-'));
  const path = join(dir, 'kubeconfig');
  const url = `http://127.0.0.1:${listening.port}/base/`;
  const contexts = ['one', 'two'].map((name) => ({ name, context: { cluster: 'c', user: 'u' } }));
  const clusters = [{ name: 'c', cluster: { server: url, 'insecure-skip-tls-verify': true } }];
  const users = [{ name: 'u', user: { token: 'token-of-the-user' } }];
  writeFileSync(
    path,
    JSON.stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'one', clusters, users, contexts }),
  );
  vi.stubEnv('KUBECONFIG', path);
  const kube = await connect('two');
  vi.unstubAllEnvs();
  const close = (): void => {
    kube.close();
    void listening.close();
    rmSync(dir, { recursive: true });
  };
  const api: ApiServer = { kube, asked, answer: () => ({ status: 200, body: '{}' }), close };
  return api;
}

/** An error response of the API server. */
export const status = (code: number, reason: string, message: string) => ({
  status: code,
  body: JSON.stringify({ kind: 'Status', reason, message }),
});

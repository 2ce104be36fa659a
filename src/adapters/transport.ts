import http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { EXIT, ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { type Answer, KubeError } from './kubeError.ts';

export interface RequestOptions {
  body?: string;
  contentType?: string;
  /** Milliseconds; default 15 000. */
  timeout?: number;
}

/** One HTTP request to the API server. @throws KubeError with status 0 when there is no response */
export type Request = (method: string, path: string, options?: RequestOptions) => Promise<Answer>;

const SOCKETS = { keepAlive: true, maxSockets: 32 };

/** HTTP over the credentials, certificates and proxy of the kubeconfig. @throws ObsError when its entry is unusable */
export async function transport(
  config: KubeConfig,
  context: string,
): Promise<{ server: string; request: Request; close: () => void }> {
  const cluster = config.getCurrentCluster();
  const server = cluster?.server ?? '';
  let url: URL;
  const base: https.RequestOptions = {};
  try {
    url = new URL(server);
    await config.applyToHTTPSOptions(base);
  } catch (error) {
    // No address, a login helper that fails, a certificate file that is missing, plain http.
    throw new ObsError({
      what: 'the kubeconfig’s entry cannot be used',
      object: `context ${context} (${server})`,
      cause: redact(messageOf(error)),
      next: `kubectl --context ${context} get --raw /readyz`,
      exit: EXIT.usage,
    });
  }
  const agent = cluster?.proxyUrl && typeof base.agent === 'object' ? base.agent : agentOf(url, base);
  const request: Request = async (method, path, options = {}) => {
    // Tokens of exec plugins expire: client-node caches them and renews them when needed.
    const auth: https.RequestOptions = {};
    await config.applyToHTTPSOptions(auth);
    const { body } = options;
    const headers = {
      ...(auth.headers as Record<string, string> | undefined),
      Accept: 'application/json',
      ...(body === undefined
        ? {}
        : {
            'Content-Type': options.contentType ?? 'application/json',
            'Content-Length': Buffer.byteLength(body),
          }),
    };
    return send({ url, server }, body, options.timeout ?? 15_000, {
      method,
      path: `${url.pathname.replace(/\/$/, '')}${path}`,
      headers,
      agent,
      ...(auth.auth ? { auth: auth.auth } : {}),
      ...(base.servername ? { servername: base.servername } : {}),
    });
  };
  return { server, request, close: () => agent.destroy() };
}

function agentOf(url: URL, { ca, cert, key, rejectUnauthorized }: https.RequestOptions): http.Agent {
  if (url.protocol !== 'https:') return new http.Agent(SOCKETS);
  return new https.Agent({
    ...SOCKETS,
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  });
}

function send(
  { url, server }: { url: URL; server: string },
  body: string | undefined,
  timeout: number,
  options: https.RequestOptions,
): Promise<Answer> {
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const target = {
      ...options,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (secure ? 443 : 80),
    };
    const req = (secure ? https : http).request(target, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', (error) => reject(new KubeError(0, 'Unreachable', messageOf(error))));
      res.on('end', () => {
        clearTimeout(timer);
        const { date } = res.headers;
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: res.statusCode ?? 0, body: text, ...(date ? { date } : {}) });
      });
    });
    const late = new Error(`no answer within ${timeout / 1000} s`);
    const timer = setTimeout(() => req.destroy(late), timeout);
    req.on('error', (error) => {
      clearTimeout(timer);
      reject(new KubeError(0, error === late ? 'Timeout' : 'Unreachable', `${server}: ${messageOf(error)}`));
    });
    req.end(body);
  });
}

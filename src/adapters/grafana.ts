import { ObsError } from '../core/errors.ts';
import { GRAFANA_ADMIN } from '../core/labels.ts';
import { registerSecret } from '../core/redact.ts';
import type { Answer, Kube } from './kube.ts';
import type { Kubectl } from './kubectl.ts';

export interface Grafana {
  request(method: string, path: string, body?: string, headers?: Record<string, string>): Promise<Answer>;
  close(): Promise<void>;
}

/** A tunnel: the API server's proxy strips the Authorization header. @throws ObsError */
export async function openGrafana(
  kube: Kube,
  kubectl: Pick<Kubectl, 'portForward'>,
  { namespace, service }: { namespace: string; service: { name: string; port: number } },
): Promise<Grafana> {
  const { user, password } = await grafanaAdmin(kube, namespace);
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  registerSecret(authorization);
  const tunnel = await kubectl.portForward(service.name, service.port, { namespace });
  const send = async (
    method: string,
    path: string,
    body?: string,
    more: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${tunnel.port}${path}`, {
      method,
      headers: {
        authorization,
        accept: 'application/json',
        ...more,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(30_000),
    });
    return { status: response.status, body: await response.text() };
  };
  let refused: Promise<Answer | undefined> | undefined;
  return {
    async request(method, path, body, headers) {
      // Grafana locks an account after five wrong passwords, so a refused one is tried once.
      refused ??= send('GET', '/api/org').then((answer) => (answer.status === 401 ? answer : undefined));
      const no = path === '/api/health' ? undefined : await refused;
      return no ?? send(method, path, body, headers);
    },
    async close() {
      tunnel.close();
      await tunnel.ended;
    },
  };
}

/** Grafana's administrator; the password is redacted from all output. @throws ObsError without the Secret */
export async function grafanaAdmin(
  kube: Pick<Kube, 'read'>,
  namespace: string,
): Promise<{ user: string; password: string }> {
  const secret = await kube.read({ apiVersion: 'v1', kind: 'Secret', namespace, name: GRAFANA_ADMIN });
  if (!secret)
    throw new ObsError({
      what: 'the Secret with Grafana’s admin password is missing',
      object: `Secret ${namespace}/${GRAFANA_ADMIN}`,
      next: 'genai-obs install',
    });
  const data = (secret['data'] ?? {}) as Record<string, string>;
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
  registerSecret(text('admin-password'));
  return { user: text('admin-user'), password: text('admin-password') };
}

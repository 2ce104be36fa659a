import { spawn } from 'node:child_process';
import getPort from 'get-port';
import { get, stopOnInterrupt } from './cluster.ts';

export interface Grafana {
  url: string;
  password: string;
  json: <T>(path: string, init?: { method: string; body: unknown }) => Promise<T>;
  close: () => void;
}

/** Opens Grafana of an installation with kubectl port-forward and the generated administrator password. */
export async function grafana(namespace: string): Promise<Grafana> {
  const secret = await get<{ data: Record<string, string> }>('secret', 'grafana-admin', '-n', namespace);
  const password = Buffer.from(secret.data['admin-password'] ?? '', 'base64').toString();
  const port = await getPort();
  const child = stopOnInterrupt(
    spawn('kubectl', ['-n', namespace, 'port-forward', 'service/grafana', `${port}:80`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  const url = `http://127.0.0.1:${port}`;
  const Authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  return {
    url,
    password,
    async json<T>(path: string, init?: { method: string; body: unknown }): Promise<T> {
      const answer = await fetch(`${url}${path}`, {
        method: init?.method ?? 'GET',
        headers: { Authorization, 'Content-Type': 'application/json' },
        ...(init ? { body: JSON.stringify(init.body) } : {}),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`Grafana ${path}: ${answer.status} ${text.slice(0, 300)}`);
      return (text ? JSON.parse(text) : {}) as T;
    },
    close: () => void child.kill(),
  };
}

export const ROLES = ['rag-chat', 'vector-store', 'fake-model', 'load'] as const;
export type Role = (typeof ROLES)[number];

export interface Settings {
  role: Role;
  version: string;
  port: number;
  /** URLs of the other roles. */
  chatUrl: URL;
  vectorStoreUrl: URL;
  modelUrl: URL;
  /** Requests per second of the load role. */
  rate: number;
  /** Maximum number of concurrent requests of the load role. */
  concurrency: number;
  /** Share of chats for which the fake model returns an error: half 429, half 500. */
  errorRate: number;
  /** Share of chats for which the fake model takes more than 5 s. */
  slowRate: number;
  metricIntervalMs: number;
}

type Env = Record<string, string | undefined>;

function number(env: Env, name: string, fallback: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = Number(env[name] || fallback);
  if (!Number.isFinite(value) || value < 0 || value > max)
    throw new Error(`${name} must be a number from 0 to ${max}, got ${env[name]}`);
  return value;
}

export function settingsFrom(env: Env): Settings {
  const role = ROLES.find((known) => known === env.ROLE);
  if (!role) throw new Error(`ROLE must be one of ${ROLES.join(', ')}, got ${env.ROLE ?? 'nothing'}`);
  return {
    role,
    version: env.WORKLOAD_VERSION ?? '0.0.0',
    port: number(env, 'PORT', 8080, 65535),
    chatUrl: new URL(env.CHAT_URL ?? 'http://rag-chat:8080'),
    vectorStoreUrl: new URL(env.VECTOR_STORE_URL ?? 'http://vector-store:8080'),
    modelUrl: new URL(env.MODEL_URL ?? 'http://fake-model:8080'),
    rate: number(env, 'RATE', 3, 200),
    concurrency: number(env, 'CONCURRENCY', 64, 1000),
    errorRate: number(env, 'ERROR_RATE', 0.03, 1),
    slowRate: number(env, 'SLOW_RATE', 0.05, 1),
    metricIntervalMs: Math.max(100, number(env, 'OTEL_METRIC_EXPORT_INTERVAL', 10_000)),
  };
}

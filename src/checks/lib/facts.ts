import type { KubeObject } from '../../core/types.ts';
import { type Place, type PlacedId, placeOf } from '../../parts/catalog.ts';
import type { Signal } from '../../parts/cloud.ts';
import { type Config, namespacesOf } from '../../profile/schema.ts';
import type {
  Answer,
  ApiServer,
  Clocks,
  CloudWrite,
  DriftRow,
  HelmRelease,
  KubeletStats,
  Logs,
  ProbeResult,
  Sample,
} from './values.ts';

/** One observation of the cluster, this machine or a backend, made once and shared by all checks. */
export type Fact = { ok: true; value: unknown } | { ok: false; error: string };

/** Facts by key: plain JSON, which `doctor --save-facts` writes and `doctor --from` judges again without a cluster. */
export type FactMap = Record<string, Fact>;

/** The part before the first colon names the collector in src/doctor/facts/. Keys are stable: saved files hold them. */
export type FactKey = string;

/** Thrown when a fact could not be collected: the finding becomes `unknown`. */
export class FactUnavailable extends Error {}

/** Names a fact whose value is a T. Some keys depend on the configuration: Services are called as their chart does. */
export interface FactRef<T = unknown> {
  key: (config: Config) => FactKey;
  /** Only for the type. */
  value?: T;
}

function ref<T>(key: FactKey | ((config: Config) => FactKey)): FactRef<T> {
  return { key: typeof key === 'string' ? () => key : key };
}

/** `all`: of every namespace of the cluster; else of the installation's namespaces. */
type Scope = 'all';
const k8s = (kind: string, scope?: Scope): FactKey => `k8s:${kind}${scope ? `@${scope}` : ''}`;

/** Every kind of fact: `fact.pods()` names one in `reads`, `facts.pods()` reads it. */
export const fact = {
  /** Objects without noise; Secrets come as `keys` (length by name), `weak` (known defaults) and `notAfter`. */
  objects: (kind: string, scope?: Scope) => ref<KubeObject[]>(k8s(kind, scope)),
  pods: (scope?: Scope) => ref<KubeObject[]>(k8s('Pod', scope)),
  nodes: () => ref<KubeObject[]>(k8s('Node')),
  /** Objects of the kind of a component's workload. */
  workloads: (id: PlacedId) => ref<KubeObject[]>((config) => k8s(placeOf(config, id).workload.kind)),
  /** GET from a component's Service through the API server; collectors: /metrics from 8888, all else from 13133. */
  http: (id: PlacedId, path: string, port?: number) =>
    ref<Answer>((config) => `http:${placeOf(config, id).service.name}:${port ? `${port}:` : ''}${path}`),
  /** An empty OTLP POST to 4318. */
  otlp: (to: 'gateway' | 'jaeger') => ref<{ status: number }>(`otlp:${to}`),
  /** An instant query; samples that are NaN are left out. */
  promql: (expr: string) => ref<Sample[]>(`promql:${expr}`),
  /** GET from Grafana's API as its administrator. */
  grafana: (path: string) => ref<Answer>(`grafana:${path}`),
  /** Last 200 lines of each container; at most 6 pods. */
  logs: (id: PlacedId) => ref<Logs>(`logs:${id}`),
  /** The configuration that a component runs with, parsed; grafana.ini as `{section: {key: value}}`. */
  running: (id: PlacedId) => ref<unknown>(`config:${id}`),
  /** By node. */
  kubeletStats: () => ref<Record<string, KubeletStats>>('kubelet:stats'),
  apiServer: () => ref<ApiServer>('cluster:ready'),
  version: () => ref<{ gitVersion: string }>('cluster:version'),
  /** Whether the caller may, for example, `create` `apps/deployments` in all namespaces of the stack; core: `/pods`. */
  access: (verb: string, resource: string) => ref<{ allowed: boolean }>(`access:${verb}:${resource}`),
  /** The same for a service account of the stack, in all namespaces. */
  accountAccess: (account: string, verb: string, resource: string) =>
    ref<{ allowed: boolean }>(`as:${account}:${verb}:${resource}`),
  releases: () => ref<HelmRelease[]>('releases:helm'),
  drift: () => ref<DriftRow[]>('drift:plan'),
  /** Version of a program of this machine; empty when it is not installed. */
  tool: (name: string) => ref<{ version: string }>(`tool:${name}`),
  /** Whether a port of this machine is free. */
  port: (number: string) => ref<{ free: boolean }>(`port:${number}`),
  clocks: () => ref<Clocks>('time:clock'),
  /** When the facts were collected: what ages are counted from. */
  time: () => ref<{ iso: string }>('time:now'),
  /** The same facts in the file of --baseline; null without one. */
  baselineTime: () => ref<{ iso: string } | null>('baseline:time:now'),
  baselinePromql: (expr: string) => ref<Sample[]>(`baseline:promql:${expr}`),
  /** An empty write to Grafana Cloud from this machine. */
  cloud: (signal: Signal) => ref<CloudWrite>(`cloud:${signal}`),
  /** Only with --probe. */
  probe: () => ref<ProbeResult>('probe:result'),
};

/** Facts that a check reads: references, lists of them, and functions of the configuration that give them. */
export type Reads = FactRef | Reads[] | ((config: Config) => Reads);

export function keysFor(config: Config, reads: Reads): FactKey[] {
  if (typeof reads === 'function') return keysFor(config, reads(config));
  return Array.isArray(reads) ? reads.flatMap((one) => keysFor(config, one)) : [reads.key(config)];
}

type Readers = {
  [Name in keyof typeof fact]: (typeof fact)[Name] extends (...args: infer Args) => FactRef<infer T>
    ? (...args: Args) => T
    : never;
};

/** What a check sees. Every reader of a fact throws FactUnavailable when the fact could not be collected. */
export interface Facts extends Readers {
  config: Config;
  /** Home of the installation: journal, lock and what belongs to no component. */
  namespace: string;
  /** Every namespace of the installation, home first. */
  namespaces: string[];
  /** kubectl for fix commands, `kubectl -n NS`: of the home namespace, of another one, of a component's. */
  kubectl: string;
  kubectlIn(namespace: string): string;
  kubectlFor(id: PlacedId): string;
  /** Where a component is and how its objects are called. */
  place(id: PlacedId): Place;
  /** One object; the namespace is the home one by default and does not matter for cluster-scoped kinds. */
  find(kind: string, name: string, namespace?: string): KubeObject | undefined;
  /** When the facts were collected, in milliseconds. */
  now(): number;
}

/** The facts of one installation. `context` is named in fix commands; without it kubectl's current one counts. */
export function factsFrom(config: Config, read: (key: FactKey) => unknown, context?: string): Facts {
  const refs = Object.entries(fact) as [string, (...args: unknown[]) => FactRef][];
  const readers = Object.fromEntries(
    refs.map(([name, refOf]) => [name, (...args: unknown[]) => read(refOf(...args).key(config))]),
  ) as Readers;
  const kubectlIn = (namespace: string) => `kubectl ${context ? `--context ${context} ` : ''}-n ${namespace}`;
  return {
    ...readers,
    config,
    namespace: config.namespace,
    namespaces: namespacesOf(config),
    kubectl: kubectlIn(config.namespace),
    kubectlIn,
    kubectlFor: (id) => kubectlIn(placeOf(config, id).namespace),
    place: (id) => placeOf(config, id),
    find: (kind, name, namespace = config.namespace) =>
      readers
        .objects(kind)
        .find(({ metadata }) => metadata.name === name && (metadata.namespace ?? namespace) === namespace),
    now() {
      const time = Date.parse(readers.time()?.iso);
      if (!Number.isFinite(time)) throw new FactUnavailable('time:now holds no time');
      return time;
    },
  };
}

/** For facts that only support a verdict: their absence must not turn the finding into `unknown`. */
export function ifAvailable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FactUnavailable) return otherwise;
    throw error;
  }
}

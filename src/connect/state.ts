import type { KubeObject } from '../core/types.ts';
import { VOLUME, type Volume, type VolumeMount, certificateMount } from './certificate.ts';
import type { EnvVar } from './env.ts';

/** Annotation of the Deployment: the former value of everything that `connect` changed. `--remove` restores it. */
export const MEMORY = 'genai-obs/connect';

/** Former value by name. Null: did not exist. */
type Former<T> = Record<string, T | null>;

interface Memory {
  /** By container. */
  env: Record<string, Former<EnvVar>>;
  annotations: Former<string>;
}

/** The part of a workload that `connect` may change. */
export interface State {
  containers: { name: string; env: EnvVar[]; mounts: VolumeMount[] }[];
  volumes: Volume[];
  /** Of the pod template. */
  annotations: Record<string, string>;
  memory?: Memory | undefined;
}

export interface Wanted {
  env: EnvVar[];
  annotations: Record<string, string>;
  /** Name of the Secret with a client certificate to mount. */
  secret?: string | undefined;
  /** The user passed --app: overrides an OTEL_SERVICE_NAME that the Deployment sets itself. */
  named: boolean;
}

interface DeploymentSpec {
  template: {
    metadata?: { annotations?: Record<string, string> };
    spec: { volumes?: Volume[]; containers: { name: string; env?: EnvVar[]; volumeMounts?: VolumeMount[] }[] };
  };
}

export function stateOf(deployment: KubeObject): State {
  const { template } = deployment['spec'] as DeploymentSpec;
  const memory = deployment.metadata.annotations?.[MEMORY];
  return {
    containers: template.spec.containers.map(({ name, env = [], volumeMounts = [] }) => ({
      name,
      env,
      mounts: volumeMounts,
    })),
    volumes: template.spec.volumes ?? [],
    annotations: template.metadata?.annotations ?? {},
    memory: memory ? (JSON.parse(memory) as Memory) : undefined,
  };
}

/** Adds what is wanted, and removes what only an earlier run wanted. Idempotent. */
export function connected(state: State, wanted: Wanted): State {
  const memory: Memory = { env: {}, annotations: {} };
  const mount = wanted.secret ? certificateMount(wanted.secret) : undefined;
  const containers = state.containers.map(({ name, env, mounts }) => {
    const before = state.memory?.env[name] ?? {};
    const own = wanted.env.flatMap((entry) => merged(entry, formerOf(entry.name, before, env), wanted.named));
    memory.env[name] = Object.fromEntries(own.map((entry) => [entry.name, formerOf(entry.name, before, env) ?? null]));
    const next = inserted(withoutUnwanted(env, before, new Set(own.map((entry) => entry.name))), own);
    return { name, env: next, mounts: withOwn(mounts, mount?.volumeMount, state) };
  });
  const before = state.memory?.annotations ?? {};
  const annotations = { ...state.annotations };
  for (const [key, value] of Object.entries(before))
    if (value === null) delete annotations[key];
    else annotations[key] = value;
  for (const [key, value] of Object.entries(wanted.annotations)) {
    memory.annotations[key] = annotations[key] ?? null;
    annotations[key] = value;
  }
  return { containers, volumes: withOwn(state.volumes, mount?.volume, state), annotations, memory };
}

/** Restores the state before the first `connected`. */
export function disconnected(state: State): State {
  return { ...connected(state, { env: [], annotations: {}, named: false }), memory: undefined };
}

/** Adds or replaces our entry, recognized by its name. Removes it if it is not wanted and we added it. */
function withOwn<T extends { name: string }>(list: T[], own: T | undefined, { memory }: State): T[] {
  if (!own) return memory ? list.filter(({ name }) => name !== VOLUME) : list;
  return list.some(({ name }) => name === VOLUME)
    ? list.map((entry) => (entry.name === VOLUME ? own : entry))
    : [...list, own];
}

/** The Secret that an earlier run mounted. */
export const mountedSecret = ({ volumes, memory }: State): string | undefined =>
  memory && volumes.find(({ name }) => name === VOLUME)?.secret?.secretName;

function formerOf(name: string, before: Former<EnvVar>, env: EnvVar[]): EnvVar | undefined {
  const known = before[name];
  return known === undefined ? env.find((entry) => entry.name === name) : (known ?? undefined);
}

/** Keeps the application's own service name (unless the user passed one) and its own resource attributes. */
function merged(entry: EnvVar, former: EnvVar | undefined, named: boolean): EnvVar[] {
  if (!former) return [entry];
  if (entry.name === 'OTEL_SERVICE_NAME' && !named) return [];
  if (entry.name !== 'OTEL_RESOURCE_ATTRIBUTES' || !former.value) return [entry];
  const keyOf = (pair: string): string => pair.split('=')[0]?.trim() ?? '';
  const ours = (entry.value ?? '').split(',');
  const theirs = former.value
    .split(',')
    .filter((pair) => keyOf(pair) && !ours.some((own) => keyOf(own) === keyOf(pair)));
  return [{ name: entry.name, value: [...theirs, ...ours].join(',') }];
}

/** Restores the former value of variables that only an earlier run wanted. */
function withoutUnwanted(env: EnvVar[], before: Former<EnvVar>, wanted: Set<string>): EnvVar[] {
  return env.flatMap((entry) => {
    const former = before[entry.name];
    return former === undefined || wanted.has(entry.name) ? [entry] : (former ?? []);
  });
}

/** Replaces in place; new fields of the pod come first, because `$(NAME)` only expands variables above it. */
function inserted(env: EnvVar[], own: EnvVar[]): EnvVar[] {
  const byName = new Map(own.map((entry) => [entry.name, entry]));
  const existing = new Set(env.map((entry) => entry.name));
  const added = own.filter((entry) => !existing.has(entry.name));
  return [
    ...added.filter((entry) => entry.valueFrom),
    ...env.map((entry) => byName.get(entry.name) ?? entry),
    ...added.filter((entry) => !entry.valueFrom),
  ];
}

import { canonical } from '../core/compare.ts';
import type { KubeObject } from '../core/types.ts';
import { VOLUME, type Volume, type VolumeMount, certificateMount } from './certificate.ts';
import type { EnvVar } from './env.ts';

/** Annotation of the Deployment: what stood where we have put something, so that it can be put back. */
export const MEMORY = 'genai-obs/connect';

/** Name → what stood there before; null: nothing. */
type Former<T> = Record<string, T | null>;

interface Memory {
  /** By container. */
  env: Record<string, Former<EnvVar>>;
  annotations: Former<string>;
}

/** The part of a Deployment that `connect` may touch. */
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
  /** Secret with a client certificate, to be mounted. */
  secret?: string | undefined;
  /** The user has named the application: that name wins over one that the Deployment sets itself. */
  named: boolean;
}

/** One difference, for the preview; `from` and `to` are undefined where there is nothing. */
export interface Difference {
  where: string;
  name: string;
  from?: string | undefined;
  to?: string | undefined;
}

export interface PatchOperation {
  op: 'add' | 'replace' | 'remove';
  path: string;
  value?: unknown;
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

/** The same Deployment with what is wanted, and without what an earlier run wanted and this one does not. Twice is as once. */
export function connected(state: State, wanted: Wanted): State {
  const memory: Memory = { env: {}, annotations: {} };
  const mount = wanted.secret ? certificateMount(wanted.secret) : undefined;
  const containers = state.containers.map(({ name, env, mounts }) => {
    const before = state.memory?.env[name] ?? {};
    const own = wanted.env.flatMap((entry) => fitted(entry, formerOf(entry.name, before, env), wanted.named));
    memory.env[name] = Object.fromEntries(own.map((entry) => [entry.name, formerOf(entry.name, before, env) ?? null]));
    const mixed = placed(withoutOld(env, before, new Set(own.map((entry) => entry.name))), own);
    return { name, env: mixed, mounts: withOwn(mounts, mount?.volumeMount, state) };
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

/** The same Deployment as it was before the first `connected`. */
export function disconnected(state: State): State {
  return { ...connected(state, { env: [], annotations: {}, named: false }), memory: undefined };
}

/** Ours by its name: in place where it is there, and gone where it is not wanted and we have put it there. */
function withOwn<T extends { name: string }>(list: T[], own: T | undefined, { memory }: State): T[] {
  if (!own) return memory ? list.filter(({ name }) => name !== VOLUME) : list;
  return list.some(({ name }) => name === VOLUME)
    ? list.map((entry) => (entry.name === VOLUME ? own : entry))
    : [...list, own];
}

/** The Secret that we have had mounted. */
export function mountedSecret({ volumes, memory }: State): string | undefined {
  return memory && volumes.find(({ name }) => name === VOLUME)?.secret?.secretName;
}

function formerOf(name: string, before: Former<EnvVar>, env: EnvVar[]): EnvVar | undefined {
  const known = before[name];
  return known === undefined ? env.find((entry) => entry.name === name) : (known ?? undefined);
}

/** A name of the application's own stays unless the user names it; attributes of its own stay beside ours. */
function fitted(entry: EnvVar, former: EnvVar | undefined, named: boolean): EnvVar[] {
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

/** What an earlier run has put in and this one does not want goes, or becomes what it was. */
function withoutOld(env: EnvVar[], before: Former<EnvVar>, wanted: Set<string>): EnvVar[] {
  return env.flatMap((entry) => {
    const former = before[entry.name];
    return former === undefined || wanted.has(entry.name) ? [entry] : (former ?? []);
  });
}

/** In place where the name is there already; else fields of the pod in front, where `$(NAME)` below can see them, and all other at the end. */
function placed(env: EnvVar[], own: EnvVar[]): EnvVar[] {
  const byName = new Map(own.map((entry) => [entry.name, entry]));
  const there = new Set(env.map((entry) => entry.name));
  const missing = own.filter((entry) => !there.has(entry.name));
  return [
    ...missing.filter((entry) => entry.valueFrom),
    ...env.map((entry) => byName.get(entry.name) ?? entry),
    ...missing.filter((entry) => !entry.valueFrom),
  ];
}

/** What a person must see before saying yes. */
export function differences(before: State, after: State): Difference[] {
  const text = (entry: EnvVar | undefined): string | undefined =>
    entry &&
    (entry.valueFrom
      ? (entry.valueFrom.fieldRef?.fieldPath ?? `from ${Object.keys(entry.valueFrom).join()}`)
      : (entry.value ?? ''));
  const compare = (
    where: string,
    from: Map<string, string | undefined>,
    to: Map<string, string | undefined>,
  ): Difference[] =>
    [...new Set([...from.keys(), ...to.keys()])]
      .filter((name) => from.get(name) !== to.get(name))
      .map((name) => ({ where, name, from: from.get(name), to: to.get(name) }));
  const envOf = (state: State, index: number): Map<string, string | undefined> =>
    new Map((state.containers[index]?.env ?? []).map((entry) => [entry.name, text(entry)]));
  const mountsOf = (state: State, index: number): Map<string, string> =>
    new Map((state.containers[index]?.mounts ?? []).map((entry) => [entry.name, entry.mountPath]));
  const volumesOf = (state: State): Map<string, string> =>
    new Map(state.volumes.map((volume) => [volume.name, `Secret ${volume.secret?.secretName}`]));
  return [
    ...compare('pod template, volumes', volumesOf(before), volumesOf(after)),
    ...before.containers.flatMap(({ name }, index) => [
      ...compare(`container ${name}, env`, envOf(before, index), envOf(after, index)),
      ...compare(`container ${name}, volumeMounts`, mountsOf(before, index), mountsOf(after, index)),
    ]),
    ...compare(
      'pod template, annotations',
      new Map(Object.entries(before.annotations)),
      new Map(Object.entries(after.annotations)),
    ),
  ];
}

/**
 * A JSON patch (RFC 6902) of exactly these places: a strategic merge could neither keep the order of `env`, on which `$(NAME)` depends, nor
 * put a `valueFrom` back. With the resourceVersion in it, the API server refuses it (409) when somebody else was quicker.
 */
export function patchOf(deployment: KubeObject, after: State): PatchOperation[] {
  const before = stateOf(deployment);
  const put = (path: string, old: object, next: object, isEmpty: boolean): PatchOperation[] =>
    canonical(old) === canonical(next) ? [] : [isEmpty ? { op: 'remove', path } : { op: 'add', path, value: next }];
  const notes: Record<string, string> = { ...deployment.metadata.annotations };
  if (after.memory) notes[MEMORY] = canonical(after.memory);
  else delete notes[MEMORY];
  const operations = [
    ...put('/spec/template/spec/volumes', before.volumes, after.volumes, !after.volumes.length),
    ...after.containers.flatMap(({ env, mounts }, index) => {
      const path = `/spec/template/spec/containers/${index}`;
      const old = before.containers[index];
      return [
        ...put(`${path}/env`, old?.env ?? [], env, !env.length),
        ...put(`${path}/volumeMounts`, old?.mounts ?? [], mounts, !mounts.length),
      ];
    }),
    ...put(
      '/spec/template/metadata/annotations',
      before.annotations,
      after.annotations,
      !Object.keys(after.annotations).length,
    ),
    ...put('/metadata/annotations', deployment.metadata.annotations ?? {}, notes, !Object.keys(notes).length),
  ];
  return operations.length
    ? [
        { op: 'replace', path: '/metadata/resourceVersion', value: deployment.metadata.resourceVersion ?? '' },
        ...operations,
      ]
    : [];
}

/** Variables of the containers that win over ours, or switch everything off. */
export function obstacles(state: State): string[] {
  const wins =
    /^OTEL_EXPORTER_OTLP_(TRACES|METRICS|LOGS)_(ENDPOINT|PROTOCOL)$|^OTEL_(SDK_DISABLED|(TRACES|METRICS|LOGS)_EXPORTER)$/;
  // Python's exporter by HTTP takes these before the authority that the gateway's certificate is of.
  const bundles = state.volumes.some(({ name }) => name === VOLUME) ? /^(REQUESTS|CURL)_CA_BUNDLE$/ : undefined;
  const bundled = state.containers.flatMap(({ name, env }) =>
    env
      .filter((entry) => bundles?.test(entry.name))
      .map((entry) => `container ${name} sets ${entry.name}: Python must find the gateway's authority in it, too`),
  );
  const elsewhere = state.containers.flatMap(({ name, env }) =>
    env
      .filter((entry) => wins.test(entry.name) && state.memory?.env[name]?.[entry.name] === undefined)
      .map(
        (entry) =>
          `container ${name} sets ${entry.name}${entry.value === undefined ? '' : `=${entry.value}`}, which may send its telemetry elsewhere`,
      ),
  );
  return [...elsewhere, ...bundled];
}

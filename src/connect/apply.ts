import { canonical } from '../core/compare.ts';
import type { KubeObject } from '../core/types.ts';
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
  containers: { name: string; env: EnvVar[] }[];
  /** Of the pod template. */
  annotations: Record<string, string>;
  memory?: Memory | undefined;
}

export interface Wanted {
  env: EnvVar[];
  annotations: Record<string, string>;
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
  template: { metadata?: { annotations?: Record<string, string> }; spec: { containers: { name: string; env?: EnvVar[] }[] } };
}

export function stateOf(deployment: KubeObject): State {
  const { template } = deployment['spec'] as DeploymentSpec;
  const memory = deployment.metadata.annotations?.[MEMORY];
  return {
    containers: template.spec.containers.map(({ name, env = [] }) => ({ name, env })),
    annotations: template.metadata?.annotations ?? {},
    memory: memory ? (JSON.parse(memory) as Memory) : undefined,
  };
}

/** The same Deployment with what is wanted, and without what an earlier run wanted and this one does not. Twice is as once. */
export function connected(state: State, wanted: Wanted): State {
  const memory: Memory = { env: {}, annotations: {} };
  const containers = state.containers.map(({ name, env }) => {
    const before = state.memory?.env[name] ?? {};
    const own = wanted.env.flatMap((entry) => fitted(entry, formerOf(entry.name, before, env), wanted.named));
    memory.env[name] = Object.fromEntries(own.map((entry) => [entry.name, formerOf(entry.name, before, env) ?? null]));
    return { name, env: placed(withoutOld(env, before, new Set(own.map((entry) => entry.name))), own) };
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
  return { containers, annotations, memory };
}

/** The same Deployment as it was before the first `connected`. */
export function disconnected(state: State): State {
  return { ...connected(state, { env: [], annotations: {}, named: false }), memory: undefined };
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
  const theirs = former.value.split(',').filter((pair) => keyOf(pair) && !ours.some((own) => keyOf(own) === keyOf(pair)));
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
    entry && (entry.valueFrom ? (entry.valueFrom.fieldRef?.fieldPath ?? `from ${Object.keys(entry.valueFrom).join()}`) : (entry.value ?? ''));
  const compare = (where: string, from: Map<string, string | undefined>, to: Map<string, string | undefined>): Difference[] =>
    [...new Set([...from.keys(), ...to.keys()])]
      .filter((name) => from.get(name) !== to.get(name))
      .map((name) => ({ where, name, from: from.get(name), to: to.get(name) }));
  const envOf = (state: State, index: number): Map<string, string | undefined> =>
    new Map((state.containers[index]?.env ?? []).map((entry) => [entry.name, text(entry)]));
  return [
    ...before.containers.flatMap(({ name }, index) => compare(`container ${name}, env`, envOf(before, index), envOf(after, index))),
    ...compare('pod template, annotations', new Map(Object.entries(before.annotations)), new Map(Object.entries(after.annotations))),
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
    ...after.containers.flatMap(({ env }, index) => put(`/spec/template/spec/containers/${index}/env`, before.containers[index]?.env ?? [], env, !env.length)),
    ...put('/spec/template/metadata/annotations', before.annotations, after.annotations, !Object.keys(after.annotations).length),
    ...put('/metadata/annotations', deployment.metadata.annotations ?? {}, notes, !Object.keys(notes).length),
  ];
  return operations.length ? [{ op: 'replace', path: '/metadata/resourceVersion', value: deployment.metadata.resourceVersion ?? '' }, ...operations] : [];
}

/** Variables of the containers that win over ours, or switch everything off. */
export function obstacles(state: State): string[] {
  const wins = /^OTEL_EXPORTER_OTLP_(TRACES|METRICS|LOGS)_(ENDPOINT|PROTOCOL)$|^OTEL_(SDK_DISABLED|(TRACES|METRICS|LOGS)_EXPORTER)$/;
  return state.containers.flatMap(({ name, env }) =>
    env
      .filter((entry) => wins.test(entry.name) && state.memory?.env[name]?.[entry.name] === undefined)
      .map((entry) => `container ${name} sets ${entry.name}${entry.value === undefined ? '' : `=${entry.value}`}, which may send its telemetry elsewhere`),
  );
}

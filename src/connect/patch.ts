import type { Operation } from 'fast-json-patch';
import { canonical } from '../core/compare.ts';
import type { KubeObject } from '../core/types.ts';
import { VOLUME } from './certificate.ts';
import type { EnvVar } from './env.ts';
import { MEMORY, type State, stateOf } from './state.ts';

/** One difference, for the preview. `from` or `to` is undefined when the value does not exist. */
export interface Difference {
  where: string;
  name: string;
  from?: string | undefined;
  to?: string | undefined;
}

type Values = Map<string, string | undefined>;

function compare(where: string, from: Values, to: Values): Difference[] {
  return [...new Set([...from.keys(), ...to.keys()])]
    .filter((name) => from.get(name) !== to.get(name))
    .map((name) => ({ where, name, from: from.get(name), to: to.get(name) }));
}

const envText = ({ value = '', valueFrom }: EnvVar): string =>
  valueFrom ? (valueFrom.fieldRef?.fieldPath ?? `from ${Object.keys(valueFrom).join()}`) : value;

const envOf = (state: State, index: number): Values =>
  new Map((state.containers[index]?.env ?? []).map((entry) => [entry.name, envText(entry)]));
const mountsOf = (state: State, index: number): Values =>
  new Map((state.containers[index]?.mounts ?? []).map((entry) => [entry.name, entry.mountPath]));
const volumesOf = (state: State): Values =>
  new Map(state.volumes.map((volume) => [volume.name, `Secret ${volume.secret?.secretName}`]));
const annotationsOf = (state: State): Values => new Map(Object.entries(state.annotations));

export function differences(before: State, after: State): Difference[] {
  return [
    ...compare('pod template, volumes', volumesOf(before), volumesOf(after)),
    ...before.containers.flatMap(({ name }, index) => [
      ...compare(`container ${name}, env`, envOf(before, index), envOf(after, index)),
      ...compare(`container ${name}, volumeMounts`, mountsOf(before, index), mountsOf(after, index)),
    ]),
    ...compare('pod template, annotations', annotationsOf(before), annotationsOf(after)),
  ];
}

/**
 * A JSON patch (RFC 6902), empty when nothing changes. A strategic merge patch could not keep the order of `env`.
 * It sets the resourceVersion that was read, so the API server rejects it with 409 after a concurrent change.
 * It replaces whole fields: an index into a list that changed concurrently would fail with 422 instead.
 */
export function patchOf(deployment: KubeObject, after: State): Operation[] {
  const before = stateOf(deployment);
  const put = (path: string, from: object, value: object): Operation[] => {
    if (canonical(from) === canonical(value)) return [];
    return [Object.keys(value).length ? { op: 'add', path, value } : { op: 'remove', path }];
  };
  const { [MEMORY]: _former, ...others } = deployment.metadata.annotations ?? {};
  const annotations = after.memory ? { ...others, [MEMORY]: canonical(after.memory) } : others;
  const operations = [
    ...put('/spec/template/spec/volumes', before.volumes, after.volumes),
    ...after.containers.flatMap(({ env, mounts }, index) => {
      const path = `/spec/template/spec/containers/${index}`;
      const from = before.containers[index];
      return [...put(`${path}/env`, from?.env ?? [], env), ...put(`${path}/volumeMounts`, from?.mounts ?? [], mounts)];
    }),
    ...put('/spec/template/metadata/annotations', before.annotations, after.annotations),
    ...put('/metadata/annotations', deployment.metadata.annotations ?? {}, annotations),
  ];
  const value = deployment.metadata.resourceVersion ?? '';
  return operations.length ? [{ op: 'replace', path: '/metadata/resourceVersion', value }, ...operations] : [];
}

/** Warnings about variables of the containers that override ours, or disable telemetry. */
export function obstacles(state: State): string[] {
  const overrides =
    /^OTEL_(EXPORTER_OTLP_(TRACES|METRICS|LOGS)_(ENDPOINT|PROTOCOL)|SDK_DISABLED|(TRACES|METRICS|LOGS)_EXPORTER)$/;
  // With these set, Python's HTTP exporter ignores the CA of the gateway's certificate.
  const bundles = state.volumes.some(({ name }) => name === VOLUME) ? /^(REQUESTS|CURL)_CA_BUNDLE$/ : undefined;
  const all = state.containers.flatMap(({ name: container, env }) => env.map((entry) => ({ container, ...entry })));
  const elsewhere = all
    .filter(({ container, name }) => overrides.test(name) && state.memory?.env[container]?.[name] === undefined)
    .map(({ container, name, value }) => {
      const text = value === undefined ? name : `${name}=${value}`;
      return `container ${container} sets ${text}, which may send its telemetry elsewhere`;
    });
  const bundled = all
    .filter(({ name }) => bundles?.test(name))
    .map(({ container, name }) => `container ${container} sets ${name}: add the CA of the gateway to that bundle`);
  return [...elsewhere, ...bundled];
}

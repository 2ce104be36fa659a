import { hostname, userInfo } from 'node:os';
import { parse, stringify } from 'yaml';
import type { Kube } from '../../adapters/kube.ts';
import { KubeError } from '../../adapters/kube.ts';
import { version } from '../../core/assets.ts';
import { ObsError, messageOf } from '../../core/errors.ts';
import { ownLabels } from '../../core/labels.ts';
import type { KubeObject, ObjectRef } from '../../core/types.ts';
import { type Config, completed } from '../../profile/schema.ts';

export const JOURNAL = 'genai-obs-journal';
const SCHEMA = 1;

export interface StepRecord {
  state: 'running' | 'done' | 'failed';
  /** Hash of the step's inputs: no content, so no secret. */
  inputs: string;
  at: string;
  by: string;
}

/** The record of an installation. It is a ConfigMap in the cluster, so it survives the loss of a laptop. */
export interface Journal {
  schema: number;
  tool: string;
  cluster: string;
  /** Objects that existed before the installation: used, never deleted. */
  found: string[];
  steps: Record<string, StepRecord>;
  config: Config;
}

export function whoami(): string {
  let user = 'unknown';
  try {
    user = userInfo().username;
  } catch {
    // Some containers have no passwd entry.
  }
  return `${user}@${hostname()}`;
}

function ref(namespace: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: JOURNAL };
}

export async function clusterUid(kube: Kube): Promise<string> {
  const system = await kube.read({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' });
  return system?.metadata.uid ?? 'unknown';
}

/** Undefined: no installation. @throws ObsError when unreadable or from a newer genai-obs; KubeError */
export async function readJournal(kube: Kube, namespace: string): Promise<Journal | undefined> {
  const object = await kube.read(ref(namespace));
  if (!object) return undefined;
  const data = (object['data'] ?? {}) as Record<string, string>;
  const head = read(
    namespace,
    'journal.json',
    () => JSON.parse(data['journal.json'] ?? '{}') as Omit<Journal, 'config'>,
  );
  if ((head.schema ?? 0) > SCHEMA) {
    throw new ObsError({
      what: `genai-obs ${head.tool}, which is newer than this one (${version()}), made this installation`,
      object: `ConfigMap ${namespace}/${JOURNAL}`,
      next: 'npm install -g genai-obs@latest',
    });
  }
  return { ...head, config: read(namespace, 'config.yaml', () => completed(parse(data['config.yaml'] ?? '{}'))) };
}

function read<T>(namespace: string, key: string, parsed: () => T): T {
  try {
    return parsed();
  } catch (error) {
    throw new ObsError({
      what: 'the journal of this installation cannot be read',
      object: `${key} of ConfigMap ${namespace}/${JOURNAL}`,
      cause: messageOf(error).replace(/\n[^]*/, ''),
      next:
        `kubectl -n ${namespace} delete configmap ${JOURNAL}; then run the same command again: ` +
        'without a journal it relies on the live objects',
    });
  }
}

/** Creates or overwrites the journal. The lease guarantees a single writer. @throws KubeError */
export async function writeJournal(kube: Kube, namespace: string, journal: Journal): Promise<void> {
  const { config, ...head } = journal;
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: JOURNAL, namespace, labels: ownLabels('genai-obs') },
    data: { 'journal.json': JSON.stringify(head, null, 1), 'config.yaml': stringify(config) },
  };
  try {
    await kube.replace(object);
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
    await kube.create(object);
  }
}

export async function newJournal(kube: Kube, config: Config, found: string[]): Promise<Journal> {
  return { schema: SCHEMA, tool: version(), cluster: await clusterUid(kube), found, steps: {}, config };
}

/** Coalesces writes: callers during a write share the next one. `saved` resolves when none is pending. */
export function oneAtATime(write: () => Promise<void>): { save: () => Promise<void>; saved: () => Promise<void> } {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  const save = (): Promise<void> => {
    if (next) return next;
    const mine = last
      .catch(() => {})
      .then(() => {
        next = undefined;
        return write();
      });
    next = last = mine;
    return mine;
  };
  return { save, saved: () => last.catch(() => {}) };
}

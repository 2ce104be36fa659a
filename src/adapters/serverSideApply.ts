import { ObsError, messageOf } from '../core/errors.ts';
import { sleep } from '../core/sleep.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../core/types.ts';
import { type Answer, KubeError, type RequestOptions, statusError } from './answer.ts';
import { knownPath, pathIn, versionPath } from './kinds.ts';

/** Owns the fields of what we apply ourselves. Installations know their own objects' fields by it: it never changes. */
export const FIELD_MANAGER = 'genai-obs';

export interface ApplyOptions {
  /** Asks admission and validation, changes nothing. It is one question: whoever waits for another answer asks again. */
  dryRun?: boolean;
  /** Milliseconds that one request may take. A webhook may take 30 s, and the API server itself gives up after 60 s, the default. */
  timeout?: number;
}

interface Api {
  context: string;
  server: string;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
}

/** What others live in or are a kind of. */
const FIRST = new Set(['Namespace', 'CustomResourceDefinition']);
const PARALLEL = 8;
const TIMEOUT = 60_000;
/** Milliseconds before each further try. */
const PAUSES = [250, 500, 1_000, 2_000, 2_000];

/**
 * Server-side apply (PATCH of type apply, conflicts forced), as `kubectl apply --server-side --force-conflicts` does it, without its
 * process and its reading of the API's description: https://kubernetes.io/docs/reference/using-api/server-side-apply/.
 * After a refusal nothing new is sent.
 * @throws ObsError naming the refused object
 */
export async function serverSideApply(
  api: Api,
  objects: KubeObject[],
  { dryRun = false, timeout = TIMEOUT }: ApplyOptions = {},
): Promise<void> {
  const isFirst = ({ kind }: KubeObject): boolean => FIRST.has(kind);
  for (const group of [objects.filter(isFirst), objects.filter((object) => !isFirst(object))])
    await sideBySide(group, (object) => applyOne(api, object, dryRun, timeout));
}

/** What was sent is let end, so that after an error nothing of it is under way. */
async function sideBySide<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift())
      await work(item).catch((error: unknown) => {
        queue.length = 0;
        throw error;
      });
  };
  const ends = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

async function applyOne(api: Api, object: KubeObject, dryRun: boolean, timeout: number): Promise<void> {
  const ref = refOf(object);
  // Strict, as kubectl asks by default: a field that the API does not know is refused, not dropped.
  const query = `?fieldManager=${FIELD_MANAGER}&force=true&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
  const until = Date.now() + TIMEOUT;
  for (let attempt = 0; ; attempt++) {
    try {
      const path = knownPath(ref) ?? (await discoveredPath(api, ref));
      const answer = await api.request('PATCH', path + query, {
        body: JSON.stringify(object),
        contentType: 'application/apply-patch+yaml',
        timeout,
      });
      if (answer.status < 300) return;
      throw statusError(answer, refText(ref));
    } catch (error) {
      const pause = PAUSES[attempt];
      if (dryRun || pause === undefined || Date.now() > until || !mayPass(error)) throw refused(error, ref, api);
      await sleep(pause);
    }
  }
}

/** Apply creates what is not there: a 404 is a namespace or a kind that the API server does not know yet. */
function mayPass(error: unknown): boolean {
  return error instanceof KubeError && ([0, 404, 409, 429].includes(error.status) || error.status >= 500);
}

/** For a kind that we have no plural of. @throws KubeError 404 when the cluster does not serve it */
async function discoveredPath(api: Api, { apiVersion, kind, namespace, name }: ObjectRef): Promise<string> {
  const answer = await api.request('GET', versionPath(apiVersion));
  if (answer.status >= 300 && answer.status !== 404) throw statusError(answer, apiVersion);
  const { resources = [] } = (answer.status === 404 ? {} : JSON.parse(answer.body)) as {
    resources?: { name: string; kind: string; namespaced: boolean }[];
  };
  const found = resources.find((one) => one.kind === kind && !one.name.includes('/'));
  if (!found) throw new KubeError(404, 'NotFound', `the cluster serves no kind ${kind} of ${apiVersion}`);
  return pathIn(apiVersion, { plural: found.name, namespaced: found.namespaced }, namespace, name);
}

function refused(error: unknown, ref: ObjectRef, { context, server }: Api): ObsError {
  const status = error instanceof KubeError ? error.status : undefined;
  return new ObsError({
    what: status === 0 ? `the cluster does not answer while an object is applied` : 'the cluster refused an object',
    object: refText(ref) + (status === 0 ? ` (${server})` : ''),
    cause: messageOf(error),
    next: wayOut(status, messageOf(error), ref, `kubectl --context ${context}`),
  });
}

function wayOut(
  status: number | undefined,
  message: string,
  { kind, namespace, name }: ObjectRef,
  kubectl: string,
): string {
  const within = namespace ? `${kubectl} -n ${namespace}` : kubectl;
  if (status === 0 || status === 429 || status === 503)
    return `${kubectl} get --raw /readyz; then run the same install again: it carries on`;
  if (status === 401) return 'log in again with your cluster provider’s CLI, then: kubectl auth whoami';
  if (message.includes('being terminated'))
    return `wait until the namespace is gone: ${kubectl} get namespace ${namespace} -w; then run the same install again`;
  if (message.includes('exceeded quota')) return `${within} describe resourcequota`;
  if (status === 403) return 'ask for the rights that `genai-obs doctor --stage preflight` lists under PRE-23';
  if (status === 400 || status === 422)
    return `compare with what is there: ${within} get ${kind.toLowerCase()} ${name} -o yaml`;
  return `${within} get events --sort-by=.lastTimestamp; then run the same install again: it carries on`;
}

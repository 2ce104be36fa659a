import pLimit from 'p-limit';
import pRetry from 'p-retry';
import { ObsError, messageOf } from '../core/errors.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../core/types.ts';
import { knownPath, pathIn, versionPath } from './kinds.ts';
import { ASK_FOR_RIGHTS, KubeError, LOG_IN, statusError } from './kubeError.ts';
import type { Request } from './transport.ts';

/** Owns the fields of what we apply. It never changes: later versions recognise their own fields by it. */
export const FIELD_MANAGER = 'genai-obs';

export interface ApplyOptions {
  /** Runs admission and validation, changes nothing. Does not retry; callers poll. */
  dryRun?: boolean;
  /** Milliseconds for one request. A webhook may take 30 s; the API server gives up after 60 s, the default. */
  timeout?: number;
}

interface Api {
  context: string;
  server: string;
  request: Request;
}

/** Other objects are in a namespace or are of a CRD's kind. */
const FIRST = new Set(['Namespace', 'CustomResourceDefinition']);
const PARALLEL = 8;
const TIMEOUT = 60_000;
/** Milliseconds between tries: 250, 500, 1000, 2000, 2000. */
const RETRIES = { retries: 5, minTimeout: 250, factor: 2, maxTimeout: 2_000, maxRetryTime: TIMEOUT };

/**
 * Like `kubectl apply --server-side --force-conflicts`, without its process and its fetch of the OpenAPI document.
 * After a refusal no further object is sent.
 * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/
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

/** Waits for requests that are under way, so that none is left running after an error. */
async function sideBySide<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const limit = pLimit({ concurrency: PARALLEL, rejectOnClear: true });
  const failed: unknown[] = [];
  await Promise.allSettled(
    items.map((item) =>
      limit(work, item).catch((error: unknown) => {
        failed.push(error);
        limit.clearQueue();
      }),
    ),
  );
  if (failed.length) throw failed[0];
}

async function applyOne(api: Api, object: KubeObject, dryRun: boolean, timeout: number): Promise<void> {
  const ref = refOf(object);
  // Strict, as kubectl's default: an unknown field is refused, not dropped.
  const query = `?fieldManager=${FIELD_MANAGER}&force=true&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
  const send = async (): Promise<void> => {
    const path = knownPath(ref) ?? (await discoveredPath(api, ref));
    const answer = await api.request('PATCH', path + query, {
      body: JSON.stringify(object),
      contentType: 'application/apply-patch+yaml',
      timeout,
    });
    if (answer.status >= 300) throw statusError(answer, refText(ref));
  };
  try {
    await pRetry(send, { ...RETRIES, shouldRetry: ({ error }) => !dryRun && isTransient(error) });
  } catch (error) {
    throw refused(error, ref, api);
  }
}

/** Includes 404: apply creates objects, so only a namespace or a kind can be missing, and both may be new. */
const isTransient = (error: unknown): boolean =>
  error instanceof KubeError && ([0, 404, 409, 429].includes(error.status) || error.status >= 500);

/** Asks the cluster for the plural of a kind. @throws KubeError 404 when it does not serve the kind */
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
    what: status === 0 ? 'the cluster does not answer while applying an object' : 'the cluster refused an object',
    object: refText(ref) + (status === 0 ? ` (${server})` : ''),
    cause: messageOf(error),
    next: nextStep(status, messageOf(error), ref, `kubectl --context ${context}`),
  });
}

function nextStep(
  status: number | undefined,
  message: string,
  { kind, namespace, name }: ObjectRef,
  kubectl: string,
): string {
  const within = namespace ? `${kubectl} -n ${namespace}` : kubectl;
  if (status === 0 || status === 429 || status === 503)
    return `${kubectl} get --raw /readyz; then run install again: it resumes`;
  if (status === 401) return LOG_IN;
  if (message.includes('being terminated'))
    return `wait until the namespace is deleted: ${kubectl} get namespace ${namespace} -w; then run install again`;
  if (message.includes('exceeded quota')) return `${within} describe resourcequota`;
  if (status === 403) return ASK_FOR_RIGHTS;
  if (status === 400 || status === 422)
    return `compare with the live object: ${within} get ${kind.toLowerCase()} ${name} -o yaml`;
  return `${within} get events --sort-by=.lastTimestamp; then run install again: it resumes`;
}

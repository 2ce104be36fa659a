import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { statusError } from '../../adapters/kubeError.ts';
import { restPath } from '../../adapters/kinds.ts';
import { type Kube, KubeError } from '../../adapters/kube.ts';
import { placeOf } from '../../parts/catalog.ts';
import { ObsError, messageOf } from '../../core/errors.ts';
import type { KubeObject } from '../../core/types.ts';
import { waitReady as workloadReady } from '../../engine/steps/readiness.ts';
import { COMPONENT_IDS, type ComponentId, isEnabled } from '../../profile/schema.ts';
import { type Context, checkpoint } from '../types.ts';

/** Annotation on a workload that is scaled to 0: its replicas before. The next run reads it if this one is killed. */
export const REPLICAS = 'genai-obs/replicas-before-backup';

interface PodSpec {
  securityContext?: { runAsUser?: number; runAsGroup?: number; fsGroup?: number };
  containers?: { name: string; image: string }[];
  tolerations?: unknown[];
  nodeName?: string;
  imagePullSecrets?: unknown[];
  volumes?: { persistentVolumeClaim?: { claimName: string } }[];
}

export interface Live {
  object: KubeObject;
  replicas: number;
  selector: string;
  pod: PodSpec;
  /** A StatefulSet with volumeClaimTemplates: the claim is not in the volumes of the pod template. */
  makesClaims: boolean;
}

export async function liveOf(ctx: Pick<Context, 'kube' | 'config'>, component: ComponentId): Promise<Live | undefined> {
  const { namespace, workload } = placeOf(ctx.config, component);
  const object = await ctx.kube.read({ apiVersion: 'apps/v1', namespace, ...workload });
  if (!object) return undefined;
  const spec = object['spec'] as {
    replicas?: number;
    volumeClaimTemplates?: unknown[];
    selector?: { matchLabels?: Record<string, string> };
    template?: { spec?: PodSpec };
  };
  const selector = Object.entries(spec.selector?.matchLabels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return {
    object,
    replicas: spec.replicas ?? 1,
    selector,
    pod: spec.template?.spec ?? {},
    makesClaims: Boolean(spec.volumeClaimTemplates?.length),
  };
}

/** @throws ObsError when the workload does not exist */
export async function mustLive(ctx: Pick<Context, 'kube' | 'config'>, component: ComponentId): Promise<Live> {
  const live = await liveOf(ctx, component);
  if (live) return live;
  const { title, namespace, workload } = placeOf(ctx.config, component);
  throw new ObsError({
    what: `${title} is not installed`,
    object: `${workload.kind} ${namespace}/${workload.name}`,
    next: 'genai-obs status',
  });
}

/** Sets replicas and the annotation in one request, so that a killed run never leaves one without the other. */
async function scale(kube: Kube, live: KubeObject, replicas: number, note: string | null): Promise<void> {
  const path = `${restPath(live.kind, live.metadata.namespace, live.metadata.name)}?fieldManager=genai-obs`;
  const body = JSON.stringify({ metadata: { annotations: { [REPLICAS]: note } }, spec: { replicas } });
  const answer = await kube.request('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  if (answer.status >= 300) throw statusError(answer, `${live.kind} ${live.metadata.name}`);
}

/** Stops a component and waits until its pods no longer exist, because they write to the claim until then. */
export async function stop(ctx: Context, component: ComponentId): Promise<number> {
  const { title, namespace } = placeOf(ctx.config, component);
  const live = await mustLive(ctx, component);
  if (live.replicas > 0) await scale(ctx.kube, live.object, 0, String(live.replicas));
  const until = Date.now() + ctx.timeout;
  for (;;) {
    const pods = await withRetry(() => ctx.kube.list('Pod', namespace, live.selector));
    if (pods.length === 0) return live.replicas;
    checkpoint(ctx);
    if (Date.now() > until)
      throw new ObsError({
        what: `${title} did not stop within ${ctx.timeout / 1000} s`,
        object: `Pod ${namespace}/${pods[0]?.metadata.name}`,
        next: `kubectl -n ${namespace} describe pod ${pods[0]?.metadata.name}`,
      });
    await sleep(200);
  }
}

/** Scales a component up again. Retries for a minute, because a failure leaves the component stopped. */
export async function start(ctx: Context, component: ComponentId, replicas: number): Promise<void> {
  const { title, workload, namespace } = placeOf(ctx.config, component);
  try {
    await withRetry(async () => {
      const live = await mustLive(ctx, component);
      await scale(ctx.kube, live.object, replicas, null);
    }, 60_000);
  } catch (error) {
    throw new ObsError({
      what: `${title} is stopped and could not be started again`,
      object: `${workload.kind} ${namespace}/${workload.name}`,
      cause: messageOf(error),
      next:
        `kubectl --context ${ctx.kube.context} -n ${namespace} ` +
        `scale ${workload.kind.toLowerCase()} ${workload.name} --replicas=${replicas}`,
    });
  }
}

/** Waits until the component is ready. Returns at once after Ctrl-C: it starts without us. @throws ObsError */
export async function waitReady(ctx: Context, component: ComponentId): Promise<void> {
  const { title, workload, namespace } = placeOf(ctx.config, component);
  try {
    await workloadReady({ ...workload, namespace }, ctx, (detail) => ctx.report(`${title}: ${detail}`));
  } catch (error) {
    if (ctx.signal.aborted) return;
    if (!(error instanceof ObsError)) throw error;
    const next = `kubectl -n ${namespace} describe ${workload.kind.toLowerCase()} ${workload.name}`;
    throw new ObsError({ ...error.parts, what: `${title}: ${error.parts.what}`, next });
  }
}

/** Runs `use` while the component is stopped, and always starts it again. Returns the seconds of the stop. */
export async function whileStopped(ctx: Context, component: ComponentId, use: () => Promise<void>): Promise<number> {
  const begin = Date.now();
  const before = (await mustLive(ctx, component)).replicas;
  let failure: { error: unknown } | undefined;
  try {
    await stop(ctx, component);
    await use();
  } catch (error) {
    failure = { error };
  }
  if (before > 0) await start(ctx, component, before);
  if (failure) throw failure.error;
  if (before > 0) await waitReady(ctx, component);
  return Math.round((Date.now() - begin) / 100) / 10;
}

/** Starts the workloads that a killed run left stopped. */
export async function startStopped(ctx: Context): Promise<void> {
  for (const id of COMPONENT_IDS.filter((one) => isEnabled(ctx.config, one))) {
    const live = await liveOf(ctx, id);
    const replicas = Number(live?.object.metadata.annotations?.[REPLICAS] ?? 'NaN');
    if (!live || !Number.isInteger(replicas)) continue;
    const { kind, metadata } = live.object;
    ctx.report(`an interrupted run left ${kind} ${metadata.name} stopped: scaling it to ${replicas}`);
    await scale(ctx.kube, live.object, replicas, null);
    await waitReady(ctx, id);
  }
}

/** Repeats a request every 500 ms, for up to `ms`, while the API server is unreachable, busy or reports a conflict. */
export function withRetry<T>(request: () => Promise<T>, ms = 15_000): Promise<T> {
  return pRetry(request, {
    retries: Infinity,
    factor: 1,
    minTimeout: 500,
    maxRetryTime: ms,
    shouldRetry: ({ error }) =>
      error instanceof KubeError && ([0, 409, 429].includes(error.status) || error.status >= 500),
  });
}

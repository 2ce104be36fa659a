import { setTimeout as sleep } from 'node:timers/promises';
import { restPath } from '../../adapters/kinds.ts';
import { type Kube, KubeError } from '../../adapters/kube.ts';
import { ObsError } from '../../core/errors.ts';
import { type KubeObject, refOf, refText } from '../../core/types.ts';
import type { Conversion } from '../../parts/types.ts';
import type { ApplyContext, Observation, ReadContext, StepBase, StepKind } from './types.ts';
import { callersFor, callersText, inspectCommand } from './webhookCallers.ts';

/** Passes when a server dry-run of the objects passes: that proves that the webhook which judges them serves. */
export interface WebhookStep extends StepBase {
  kind: 'webhook';
  objects: KubeObject[];
  conversion?: Conversion;
}

export const webhook: StepKind<WebhookStep> = {
  inputs: (step) => step.objects,
  observe,

  /** Waits until the dry-run passes. @throws ObsError with the last answer */
  async apply(step, context, { report }) {
    const start = Date.now();
    for (let timeout = FIRST_TIMEOUT; ; timeout = Math.min(timeout * 2, 30_000)) {
      try {
        await context.kube.apply(step.objects, { dryRun: true, timeout });
        return await trustWebhook(step, context);
      } catch (error) {
        const cause = error instanceof ObsError ? (error.parts.cause ?? '') : String(error);
        if (context.signal.aborted)
          throw new ObsError({ what: 'stopped while waiting', object: step.title, cause, exit: 130 });
        // Waiting does not help when the webhook itself refuses.
        if (/denied the request|is invalid:/.test(cause)) throw error;
        if (Date.now() - start > context.timeout) throw await notServing(step, context, cause);
        report('waiting for the webhook to serve');
        await sleep(200);
      }
    }
  },

  export: (step, writer) =>
    writer.pause(
      step,
      step.needs.filter((id) => id.startsWith('release/')),
    ),
};

/** Milliseconds, doubled per dry-run: a connection may hang while a Service gets its first endpoint. */
const FIRST_TIMEOUT = 3_000;

/** Milliseconds for an observation: the API server waits up to 30 s for a webhook that it cannot reach. */
const OBSERVE_TIMEOUT = 5_000;

async function observe(step: WebhookStep, { kube }: ReadContext): Promise<Observation> {
  for (const object of step.objects) {
    const problem = await dryRun(object, kube);
    if (problem) return { state: 'unready', changes: [], detail: `it does not serve (${problem})` };
  }
  const untrusting = await crdsWithOtherCa(step, kube);
  if (untrusting.length === 0) return { state: 'done', changes: [] };
  return { state: 'drifted', changes: [], detail: `${untrusting.join(', ')} does not trust it` };
}

/** Undefined: the webhook admits the object. */
async function dryRun(object: KubeObject, kube: Kube): Promise<string | undefined> {
  const path = `${restPath(object.kind, object.metadata.namespace)}?dryRun=All`;
  try {
    const { status } = await kube.request('POST', path, { body: JSON.stringify(object), timeout: OBSERVE_TIMEOUT });
    return status >= 300 ? `HTTP ${status}` : undefined;
  } catch (error) {
    // The cluster answered other requests just now, so it is the webhook that makes this one wait.
    if (error instanceof KubeError && error.reason === 'Timeout') return `no answer within ${OBSERVE_TIMEOUT / 1000} s`;
    throw error;
  }
}

/** Names the webhooks that do not answer; where they cannot be read, the objects of the dry-run. */
async function notServing({ objects }: WebhookStep, { kube, timeout }: ApplyContext, cause: string): Promise<ObsError> {
  const callers = await callersFor(objects, kube, cause).catch(() => []);
  const names = objects.map((object) => refText(refOf(object))).join(', ');
  return new ObsError({
    what: `a webhook does not serve after ${Math.round(timeout / 1000)} s`,
    object: callers.length ? `${callersText(callers)} (dry-run of ${names})` : names,
    cause,
    next: `${inspectCommand(callers, kube.context)}; then run install again: it resumes`,
  });
}

interface ClientConfig {
  caBundle?: string;
}

async function caBundleOf({ conversion }: WebhookStep, kube: Kube): Promise<string | undefined> {
  const live = conversion && (await kube.read(conversion.authority));
  const [first] = (live?.['webhooks'] ?? []) as { clientConfig?: ClientConfig }[];
  return first?.clientConfig?.caBundle;
}

const clientOf = (crd: KubeObject): ClientConfig | undefined =>
  (crd['spec'] as { conversion?: { webhook?: { clientConfig?: ClientConfig } } }).conversion?.webhook?.clientConfig;

/** CRDs whose conversion webhook has another CA bundle than the webhook's own configuration. */
async function crdsWithOtherCa(step: WebhookStep, kube: Kube): Promise<string[]> {
  const caBundle = await caBundleOf(step, kube);
  if (!caBundle) return [];
  const live = await Promise.all(
    (step.conversion?.crds ?? []).map((name) =>
      kube.read({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name }),
    ),
  );
  return live.flatMap((crd) =>
    crd && clientOf(crd) && clientOf(crd)?.caBundle !== caBundle ? [crd.metadata.name] : [],
  );
}

/** A chart that signs its own certificate injects the CA bundle only into CRDs that it applies itself. */
async function trustWebhook(step: WebhookStep, { kube }: ApplyContext): Promise<void> {
  const caBundle = await caBundleOf(step, kube);
  for (const name of caBundle ? await crdsWithOtherCa(step, kube) : []) {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}?fieldManager=genai-obs-authority`;
    const { status } = await kube.request('PATCH', path, {
      body: JSON.stringify({ spec: { conversion: { webhook: { clientConfig: { caBundle } } } } }),
      contentType: 'application/merge-patch+json',
    });
    if (status >= 300)
      throw new ObsError({
        what: 'cannot inject the CA bundle into a CustomResourceDefinition',
        object: `CustomResourceDefinition ${name}`,
        cause: `HTTP ${status}`,
        next: 'kubectl auth can-i patch customresourcedefinitions; then run install again: it resumes',
      });
  }
}

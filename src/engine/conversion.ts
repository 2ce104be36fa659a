import type { Kube } from '../adapters/kube.ts';
import { ObsError } from '../core/errors.ts';
import { sleep } from '../core/sleep.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import type { Hands } from './apply.ts';
import type { WebhookStep } from './types.ts';
import { calledAbout, calledText, lookAt } from './webhooks.ts';

type Report = (detail: string) => void;

/**
 * Milliseconds for the first question, doubled for each further one. While a Service gets its first endpoint, a connection may lead nowhere,
 * and the API server would wait ten seconds for it.
 */
const PATIENCE = 3_000;

/** Waits until a server dry-run of the objects passes, which asks the webhook. @throws ObsError with what it said last */
export async function applyWebhook(step: WebhookStep, hands: Hands, report: Report): Promise<void> {
  const start = Date.now();
  for (let timeout = PATIENCE; ; timeout = Math.min(timeout * 2, 30_000)) {
    try {
      await hands.kube.apply(step.objects, { dryRun: true, timeout });
      return await trustAuthority(step, hands);
    } catch (error) {
      const cause = error instanceof ObsError ? (error.parts.cause ?? '') : String(error);
      if (hands.signal.aborted)
        throw new ObsError({ what: 'stopped while waiting', object: step.title, cause, exit: 130 });
      // What the webhook itself refuses will not become better by waiting.
      if (/denied the request|is invalid:/.test(cause)) throw error;
      if (Date.now() - start > hands.timeout) throw await deaf(step, hands, cause);
      report('waiting for the webhook to serve');
      await sleep(200);
    }
  }
}

/** Names who does not answer; where that cannot be read, what was asked about. */
async function deaf({ objects }: WebhookStep, { kube, timeout }: Hands, cause: string): Promise<ObsError> {
  const called = await calledAbout(objects, kube, cause).catch(() => []);
  const asked = objects.map((object) => refText(refOf(object))).join(', ');
  return new ObsError({
    what: `a webhook does not serve after ${Math.round(timeout / 1000)} s`,
    object: called.length ? `${calledText(called)} (asked about ${asked})` : asked,
    cause,
    next: `${lookAt(called, kube.context)}; then run the same install again: it carries on`,
  });
}

const crdRef = (name: string): ObjectRef => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  name,
});

interface ClientConfig {
  caBundle?: string;
}

async function authorityOf({ conversion }: WebhookStep, kube: Kube): Promise<string | undefined> {
  const live = conversion && (await kube.read(conversion.authority));
  const [first] = (live?.['webhooks'] ?? []) as { clientConfig?: ClientConfig }[];
  return first?.clientConfig?.caBundle;
}

const clientOf = (crd: KubeObject): ClientConfig | undefined =>
  (crd['spec'] as { conversion?: { webhook?: { clientConfig?: ClientConfig } } }).conversion?.webhook?.clientConfig;

/** Definitions that name another authority than the webhook's configuration does. */
export async function differingAuthorities(step: WebhookStep, kube: Kube): Promise<string[]> {
  const authority = await authorityOf(step, kube);
  if (!authority) return [];
  const live = await Promise.all((step.conversion?.crds ?? []).map((name) => kube.read(crdRef(name))));
  return live.flatMap((crd) =>
    crd && clientOf(crd) && clientOf(crd)?.caBundle !== authority ? [crd.metadata.name] : [],
  );
}

/** The chart that signs for itself puts its authority into definitions that it applies; ours come by a step of their own. */
async function trustAuthority(step: WebhookStep, { kube }: Hands): Promise<void> {
  const authority = await authorityOf(step, kube);
  for (const name of authority ? await differingAuthorities(step, kube) : []) {
    const patch = { spec: { conversion: { webhook: { clientConfig: { caBundle: authority } } } } };
    const answer = await kube.request(
      'PATCH',
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}?fieldManager=genai-obs-authority`,
      {
        body: JSON.stringify(patch),
        contentType: 'application/merge-patch+json',
      },
    );
    if (answer.status >= 300)
      throw new ObsError({
        what: 'a definition cannot be told whom to trust',
        object: `CustomResourceDefinition ${name}`,
        cause: `HTTP ${answer.status}`,
        next: `kubectl auth can-i patch customresourcedefinitions; then run the same install again: it carries on`,
      });
  }
}

import type { Kube } from '../../adapters/kube.ts';
import { kindInfo } from '../../adapters/kinds.ts';
import type { KubeObject } from '../../core/types.ts';

interface Webhook {
  name: string;
  clientConfig: { url?: string; service?: { namespace: string; name: string } };
  rules?: { apiGroups?: string[]; resources?: string[] }[];
}

export interface WebhookEntry {
  kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
  name: string;
  webhook: Webhook;
}

/** The one that `message` names, otherwise all whose rules match the objects. @throws KubeError */
export async function callersFor(objects: KubeObject[], kube: Kube, message: string): Promise<WebhookEntry[]> {
  const kinds = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'] as const;
  const lists = await Promise.all(kinds.map((kind) => kube.list(kind)));
  const all = kinds.flatMap((kind, i) =>
    (lists[i] ?? []).flatMap(({ metadata: { name }, ...rest }) =>
      ((rest['webhooks'] ?? []) as Webhook[]).map((webhook): WebhookEntry => ({ kind, name, webhook })),
    ),
  );
  const matching = all.filter(({ webhook }) => objects.some((object) => matches(webhook, object)));
  const name = /failed calling webhook "(?<name>[^"]+)"/.exec(message)?.groups?.['name'];
  const named = matching.filter(({ webhook }) => webhook.name === name);
  return named.length ? named : matching;
}

function matches({ rules = [] }: Webhook, { apiVersion, kind }: KubeObject): boolean {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  const { plural } = kindInfo(kind);
  const has = (list: string[] | undefined, ...wanted: (string | undefined)[]): boolean =>
    (list ?? []).some((one) => wanted.includes(one));
  return rules.some(
    ({ apiGroups, resources }) => has(apiGroups, group, '*') && has(resources, plural, `${plural}/*`, '*', '*/*'),
  );
}

/** `ValidatingWebhookConfiguration x, which calls Service ns/name`, each once. */
export function callersText(all: WebhookEntry[]): string {
  const lines = all.map(({ kind, name, webhook }) => `${kind} ${name}, which calls ${targetOf(webhook)}`);
  return [...new Set(lines)].join('; ');
}

const targetOf = ({ clientConfig: { url, service } }: Webhook): string =>
  service ? `Service ${service.namespace}/${service.name}` : (url ?? 'nobody');

/** Command that shows the endpoints behind the webhook's Service and its configuration. */
export function inspectCommand([first]: WebhookEntry[], context: string): string {
  const kubectl = `kubectl --context ${context}`;
  if (!first) return `${kubectl} get validatingwebhookconfigurations,mutatingwebhookconfigurations`;
  const { service } = first.webhook.clientConfig;
  const endpoints = service
    ? [`${kubectl} -n ${service.namespace} get endpointslices -l kubernetes.io/service-name=${service.name}`]
    : [];
  return [...endpoints, `${kubectl} describe ${first.kind.toLowerCase()} ${first.name}`].join('; ');
}

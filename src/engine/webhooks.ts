import type { Kube } from '../adapters/kube.ts';
import { kindInfo } from '../adapters/kinds.ts';
import type { KubeObject } from '../core/types.ts';

interface Webhook {
  name: string;
  clientConfig: { url?: string; service?: { namespace: string; name: string } };
  rules?: { apiGroups?: string[]; resources?: string[] }[];
}

/** One entry of a configuration: whom the API server calls about what. */
export interface Called {
  kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
  /** Of the configuration. */
  name: string;
  webhook: Webhook;
}

/**
 * Who is called about such objects: the one that the API server's words name (`failed calling webhook "…"`), or else all whose rules
 * have the objects' group and resource. @throws KubeError
 */
export async function calledAbout(objects: KubeObject[], kube: Kube, said: string): Promise<Called[]> {
  const kinds = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'] as const;
  const lists = await Promise.all(kinds.map((kind) => kube.list(kind)));
  const all = kinds.flatMap((kind, i) =>
    (lists[i] ?? []).flatMap(({ metadata: { name }, ...rest }) =>
      ((rest['webhooks'] ?? []) as Webhook[]).map((webhook): Called => ({ kind, name, webhook })),
    ),
  );
  const concerned = all.filter(({ webhook }) => objects.some((object) => judges(webhook, object)));
  const named = /failed calling webhook "(?<name>[^"]+)"/.exec(said)?.groups?.['name'];
  const quoted = concerned.filter(({ webhook }) => webhook.name === named);
  return quoted.length ? quoted : concerned;
}

function judges({ rules = [] }: Webhook, { apiVersion, kind }: KubeObject): boolean {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  const { plural } = kindInfo(kind);
  const has = (list: string[] | undefined, ...wanted: (string | undefined)[]): boolean =>
    (list ?? []).some((one) => wanted.includes(one));
  return rules.some(
    ({ apiGroups, resources }) => has(apiGroups, group, '*') && has(resources, plural, `${plural}/*`, '*', '*/*'),
  );
}

/** `ValidatingWebhookConfiguration x, which calls Service ns/name`, each once. */
export function calledText(all: Called[]): string {
  return [...new Set(all.map(({ kind, name, webhook }) => `${kind} ${name}, which calls ${targetOf(webhook)}`))].join(
    '; ',
  );
}

function targetOf({ clientConfig: { url, service } }: Webhook): string {
  return service ? `Service ${service.namespace}/${service.name}` : (url ?? 'nobody');
}

/** Shows whether somebody stands behind the Service, and what the configuration says. */
export function lookAt([first]: Called[], context: string): string {
  const kubectl = `kubectl --context ${context}`;
  if (!first) return `${kubectl} get validatingwebhookconfigurations,mutatingwebhookconfigurations`;
  const { service } = first.webhook.clientConfig;
  const behind = service
    ? [`${kubectl} -n ${service.namespace} get endpointslices -l kubernetes.io/service-name=${service.name}`]
    : [];
  return [...behind, `${kubectl} describe ${first.kind.toLowerCase()} ${first.name}`].join('; ');
}

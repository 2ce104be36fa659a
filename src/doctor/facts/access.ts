import { isClusterScoped } from '../../adapters/kinds.ts';
import type { Kube } from '../../adapters/kube.ts';
import { oneLine } from '../../core/text.ts';
import { accountOf } from '../../parts/catalog.ts';
import { COMPONENT_IDS, type Config, namespaceOf, namespacesOf } from '../../profile/schema.ts';
import type { Collector } from './context.ts';

interface Resource {
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
}

/** `verb:group/resource[/subresource]`; the core group is empty. */
function parse(text: string): Resource {
  const [verb = '', path = ''] = text.split(':');
  const [group = '', resource = '', subresource] = path.split('/');
  return { verb, group, resource, ...(subresource ? { subresource } : {}) };
}

/** Whether the caller may do this in every namespace of the installation; cluster-wide for cluster-scoped resources. */
export const access: Collector = async (rest, { kube, config }) => {
  const attributes = parse(rest);
  const places = isClusterScoped(attributes.resource) ? [{}] : namespacesOf(config).map((namespace) => ({ namespace }));
  const reviews = places.map((where) =>
    review(kube, 'selfsubjectaccessreviews', 'SelfSubjectAccessReview', {
      resourceAttributes: { ...attributes, ...where },
    }),
  );
  return { allowed: (await Promise.all(reviews)).every(({ allowed }) => allowed) };
};

function homeOf(account: string, config: Config): string {
  const id = COMPONENT_IDS.find((one) => config[one].enabled && accountOf(config, one) === account);
  return id ? namespaceOf(config, id) : config.namespace;
}

/** Whether a service account of the stack may do this in all namespaces, or with `@ns` in its own. */
export const accountAccess: Collector = (rest, { kube, config }) => {
  const own = rest.endsWith('@ns');
  const [account = '', ...path] = (own ? rest.slice(0, -3) : rest).split(':');
  const namespace = homeOf(account, config);
  return review(kube, 'subjectaccessreviews', 'SubjectAccessReview', {
    user: `system:serviceaccount:${namespace}:${account}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    resourceAttributes: { ...parse(path.join(':')), ...(own ? { namespace } : {}) },
  });
};

/** An access review is a POST that stores nothing. */
async function review(kube: Kube, plural: string, kind: string, spec: unknown): Promise<{ allowed: boolean }> {
  const body = JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind, spec });
  const answer = await kube.request('POST', `/apis/authorization.k8s.io/v1/${plural}`, { body });
  if (answer.status >= 300) throw new Error(`${kind}: HTTP ${answer.status} ${oneLine(answer.body, 200)}`);
  const { status } = JSON.parse(answer.body) as { status?: { allowed?: boolean } };
  return { allowed: status?.allowed === true };
}

import { type CloudAnswer, emptyWrite } from '../../adapters/cloud.ts';
import { CLOUD_TOKEN, type Signal, destinationsOf, userVariable } from '../../parts/cloud.ts';
import { registerSecret } from '../../core/redact.ts';
import { valueOf } from '../../engine/steps/secretValues.ts';
import { namespaceOf } from '../../profile/schema.ts';
import type { Collector, FactContext } from './context.ts';
import { scrub } from './scrub.ts';

/** `url`: destination, empty when none is set. `missing`: the variable without a value; nothing was sent then. */
export type CloudFact = { url: string } & (CloudAnswer | { missing: string });

/**
 * Response of a signal's destination to an empty write. User and token come from the cluster's Secret, or else from the
 * environment; neither is in the fact.
 */
export const cloud: Collector = async (signal, context): Promise<CloudFact> => {
  const destination = destinationsOf(context.config).find(({ signals }) => signals.includes(signal as Signal));
  if (!destination) throw new Error(`the configuration has no destination for ${signal}`);
  const { protocol, url, user, userKey } = destination;
  const { tokenKey } = context.config['k8s-monitoring'].secret;
  const data = await secretData(context);
  const name = data[userKey] ?? (user || valueOf({ fromEnv: userVariable(userKey) }));
  const token = data[tokenKey] ?? valueOf({ fromEnv: CLOUD_TOKEN });
  if (!name || !token) return { url, missing: token ? userVariable(userKey) : CLOUD_TOKEN };
  if (!url) return { url, status: 0, text: 'no URL is set' };
  return scrub({
    url,
    ...(await emptyWrite({ protocol, signal: signal as Signal, url, user: name, token }, context.signal)),
  });
};

async function secretData({ kube, config }: FactContext): Promise<Record<string, string>> {
  const { name } = config['k8s-monitoring'].secret;
  const secret = await kube.read({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace: namespaceOf(config, 'k8s-monitoring'),
    name,
  });
  const encoded = Object.entries((secret?.['data'] ?? {}) as Record<string, string>);
  const data = Object.fromEntries(encoded.map(([key, value]) => [key, Buffer.from(value, 'base64').toString().trim()]));
  for (const value of Object.values(data)) registerSecret(value);
  return data;
}

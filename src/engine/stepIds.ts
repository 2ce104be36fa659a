import type { Config } from '../profile/schema.ts';

/** Step that makes a Secret. */
export function secretStepId(config: Config, namespace: string, name: string): string {
  return namespace === config.namespace ? `secret/${name}` : `secret/${namespace}/${name}`;
}

/** Step that makes a namespace; the home comes first, the lock lives in it. */
export function namespaceStepId(config: Config, namespace: string): string {
  return namespace === config.namespace ? 'namespace' : `namespace/${namespace}`;
}

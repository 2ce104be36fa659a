import type { Config } from '../../profile/schema.ts';

export function secretStepId(config: Config, namespace: string, name: string): string {
  return namespace === config.namespace ? `secret/${name}` : `secret/${namespace}/${name}`;
}

/** Id of the step that creates a namespace; the home comes first, because the lock lives in it. */
export function namespaceStepId(config: Config, namespace: string): string {
  return namespace === config.namespace ? 'namespace' : `namespace/${namespace}`;
}

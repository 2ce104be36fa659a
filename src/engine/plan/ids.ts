import type { Config } from '../../profile/schema.ts';

export const secretStepId = (config: Config, namespace: string, name: string): string =>
  namespace === config.namespace ? `secret/${name}` : `secret/${namespace}/${name}`;

/** Id of the step that creates a namespace; the home comes first, because the lock lives in it. */
export const namespaceStepId = (config: Config, namespace: string): string =>
  namespace === config.namespace ? 'namespace' : `namespace/${namespace}`;

import type { JsonMap } from '../core/types.ts';

/** A key of a Secret that a program reads as a file. */
export interface SecretKey {
  secret: string;
  key: string;
}

/** Folder of these files, except in pods of the Prometheus operator. */
export const SECRETS_PATH = '/etc/secrets';

/** Values of our own charts; empty without keys. */
export const ownSecretFiles = (keys: SecretKey[]): JsonMap =>
  keys.length ? { secretFiles: keys.map(({ secret, key }) => ({ secret, key, path: `${secret}/${key}` })) } : {};

export const secretNames = (keys: SecretKey[]): string[] => [...new Set(keys.map(({ secret }) => secret))];

/** The value `extraSecretMounts` of upstream charts. */
export function upstreamSecretMounts(keys: SecretKey[]): JsonMap[] {
  return secretNames(keys).map((secret) => ({
    name: `secret-${secret}`,
    secretName: secret,
    mountPath: `${SECRETS_PATH}/${secret}`,
    readOnly: true,
  }));
}

import type { JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { SECRETS_PATH, type SecretKey } from './receivers.ts';

type Target = Config['prometheus']['server']['remoteWrite'][number];

const headersOf = ({ tenant }: Target): JsonMap => (tenant ? { headers: { 'X-Scope-OrgID': tenant } } : {});

/** For prometheus.yml. Prometheus reads the credential files again for every request. */
export function remoteWrites(config: Config): JsonMap[] {
  return config.prometheus.server.remoteWrite.map((target) => {
    const { url, secret } = target;
    const file = (key: string): string => `${SECRETS_PATH}/${secret?.name}/${key}`;
    const login: JsonMap = secret?.tokenKey
      ? { authorization: { credentials_file: file(secret.tokenKey) } }
      : secret
        ? { basic_auth: { username_file: file(secret.usernameKey), password_file: file(secret.passwordKey) } }
        : {};
    return { url, ...headersOf(target), ...login };
  });
}

/** For the custom resource Prometheus, which refers to the Secrets. */
export function operatorWrites(config: Config): JsonMap[] {
  return config.prometheus.server.remoteWrite.map((target) => {
    const { url, secret } = target;
    const from = (key: string): JsonMap => ({ name: secret?.name ?? '', key });
    const login: JsonMap = secret?.tokenKey
      ? { authorization: { credentials: from(secret.tokenKey) } }
      : secret
        ? { basicAuth: { username: from(secret.usernameKey), password: from(secret.passwordKey) } }
        : {};
    return { url, ...headersOf(target), ...login };
  });
}

/** Secret keys that `remoteWrites` uses, each once. */
export function writeSecrets(config: Config): SecretKey[] {
  const all = config.prometheus.server.remoteWrite.flatMap(({ secret }): SecretKey[] =>
    secret
      ? (secret.tokenKey ? [secret.tokenKey] : [secret.usernameKey, secret.passwordKey]).map((key) => ({
          secret: secret.name,
          key,
        }))
      : [],
  );
  return [...new Map(all.map((one) => [`${one.secret}/${one.key}`, one])).values()];
}

import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { SECRETS_PATH, type SecretKey } from '../secretFiles.ts';

type Target = Config['prometheus']['server']['remoteWrite'][number];

function writes(config: Config, login: (secret: NonNullable<Target['secret']>) => JsonMap): JsonMap[] {
  return config.prometheus.server.remoteWrite.map(({ url, tenant, secret }) => ({
    url,
    ...(tenant ? { headers: { 'X-Scope-OrgID': tenant } } : {}),
    ...(secret ? login(secret) : {}),
  }));
}

/** For prometheus.yml. Prometheus reads the credential files again for every request. */
export function remoteWrites(config: Config): JsonMap[] {
  return writes(config, ({ name, tokenKey, usernameKey, passwordKey }) => {
    const file = (key: string): string => `${SECRETS_PATH}/${name}/${key}`;
    return tokenKey
      ? { authorization: { credentials_file: file(tokenKey) } }
      : { basic_auth: { username_file: file(usernameKey), password_file: file(passwordKey) } };
  });
}

/** For the custom resource Prometheus, which refers to the Secrets. */
export function operatorWrites(config: Config): JsonMap[] {
  return writes(config, ({ name, tokenKey, usernameKey, passwordKey }) => {
    const from = (key: string): Json => ({ name, key });
    return tokenKey
      ? { authorization: { credentials: from(tokenKey) } }
      : { basicAuth: { username: from(usernameKey), password: from(passwordKey) } };
  });
}

export function writeSecrets(config: Config): SecretKey[] {
  const all = config.prometheus.server.remoteWrite.flatMap(({ secret }) =>
    secret
      ? (secret.tokenKey ? [secret.tokenKey] : [secret.usernameKey, secret.passwordKey]).map((key) => ({
          secret: secret.name,
          key,
        }))
      : [],
  );
  return [...new Map(all.map((one) => [`${one.secret}/${one.key}`, one])).values()];
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonical } from '../../core/compare.ts';
import { ObsError } from '../../core/errors.ts';
import { grafanaAdmin } from '../../adapters/grafana.ts';
import { GRAFANA_ADMIN, OWN_SELECTOR } from '../../core/labels.ts';
import { registerSecret } from '../../core/redact.ts';
import { namespaceOf, namespacesOf } from '../../profile/schema.ts';
import type { KubeObject } from '../../core/types.ts';
import { decrypt, encrypt } from '../archive/crypt.ts';
import { withGrafana } from './grafana/api.ts';
import { type Action, type RestoreContext, type Store, runActions } from '../types.ts';

const FILE = 'secrets.enc';
const ID = 'secrets';

interface SavedSecret {
  name: string;
  /** Absent for the home namespace. */
  namespace?: string;
  type: string;
  labels: Record<string, string>;
  data: Record<string, string>;
}

/** The Secrets of the installation. Only with --include-secrets, and always encrypted. */
export const secretsStore: Store = {
  id: ID,
  title: 'Secrets',
  enabled: () => true,
  async backup(ctx) {
    if (!ctx.includeSecrets) return;
    const lists = await Promise.all(
      namespacesOf(ctx.config).map((namespace) => ctx.kube.list('Secret', namespace, OWN_SELECTOR)),
    );
    const found = lists.flat().filter((secret) => secret['type'] !== 'helm.sh/release.v1');
    const saved = found.map((secret): SavedSecret => ({
      name: secret.metadata.name,
      ...(secret.metadata.namespace && secret.metadata.namespace !== ctx.namespace
        ? { namespace: secret.metadata.namespace }
        : {}),
      type: typeof secret['type'] === 'string' ? secret['type'] : 'Opaque',
      labels: secret.metadata.labels ?? {},
      data: (secret['data'] ?? {}) as Record<string, string>,
    }));
    await ctx.out.text(FILE, ID, encrypt(JSON.stringify(saved), await ctx.passphrase()));
  },
  plan,
  restore: async (ctx) => runActions(ctx, await plan(ctx), true),
};

async function plan(ctx: RestoreContext): Promise<Action[]> {
  const hasSecrets = ctx.backup.manifest.files.some((file) => file.path === FILE);
  if (!ctx.includeSecrets)
    return hasSecrets ? [{ object: 'secrets', action: 'skip', detail: 'only with --include-secrets' }] : [];
  if (!hasSecrets)
    throw new ObsError({
      what: 'the backup contains no secrets',
      object: ctx.backup.shown,
      next: 'restore without --include-secrets',
      exit: 2,
    });
  const text = decrypt(
    await readFile(join(ctx.backup.dir, FILE), 'utf8'),
    await ctx.passphrase(),
    `${ctx.backup.shown}: ${FILE}`,
  );
  const actions: Action[] = [];
  for (const saved of JSON.parse(text) as SavedSecret[]) {
    for (const value of Object.values(saved.data)) registerSecret(Buffer.from(value, 'base64').toString());
    const namespace = targetNamespace(ctx, saved);
    const live = await ctx.kube.read({ apiVersion: 'v1', kind: 'Secret', namespace, name: saved.name });
    const object = `Secret ${namespace === ctx.namespace ? '' : `${namespace}/`}${saved.name}`;
    if (live && canonical(live['data'] ?? {}) === canonical(saved.data)) actions.push({ object, action: 'same' });
    else
      actions.push({
        object,
        action: live ? 'update' : 'create',
        ...(saved.name === GRAFANA_ADMIN ? { detail: 'and the password in Grafana' } : {}),
        run: () => put(ctx, saved, live),
      });
  }
  return actions;
}

/** Grafana's Secret goes to the namespace that Grafana is in now, which may have changed since the backup. */
const targetNamespace = (ctx: RestoreContext, saved: SavedSecret): string =>
  saved.name === GRAFANA_ADMIN ? namespaceOf(ctx.config, 'grafana') : (saved.namespace ?? ctx.namespace);

async function put(ctx: RestoreContext, saved: SavedSecret, live: KubeObject | undefined): Promise<void> {
  if (saved.name === GRAFANA_ADMIN && live && ctx.config.grafana.enabled) await changePassword(ctx, saved);
  if (live) await ctx.kube.replace({ ...live, data: saved.data });
  else
    await ctx.kube.create({
      apiVersion: 'v1',
      kind: 'Secret',
      type: saved.type,
      metadata: { name: saved.name, namespace: targetNamespace(ctx, saved), labels: saved.labels },
      data: saved.data,
    });
}

/** Grafana reads the Secret only at its first start; after that the password is in its database. */
async function changePassword(ctx: RestoreContext, saved: SavedSecret): Promise<void> {
  const now = await grafanaAdmin(ctx.kube, namespaceOf(ctx.config, 'grafana'));
  const password = Buffer.from(saved.data['admin-password'] ?? '', 'base64').toString();
  if (!password || password === now.password) return;
  await withGrafana(ctx, (api) =>
    api.send('PUT', '/api/user/password', { oldPassword: now.password, newPassword: password, confirmNew: password }),
  );
}

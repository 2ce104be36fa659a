import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ObsError } from '../../core/errors.ts';
import { grafanaAdmin } from '../../adapters/grafana.ts';
import { GRAFANA_ADMIN, OWN_SELECTOR } from '../../core/labels.ts';
import { registerSecret } from '../../core/redact.ts';
import { namespaceOf, namespacesOf } from '../../profile/schema.ts';
import type { KubeObject } from '../../core/types.ts';
import { decrypt, encrypt } from '../archive/crypt.ts';
import { withGrafana } from './grafana/api.ts';
import type { Action, RestoreContext, Store } from '../types.ts';
import { runActions } from '../claims/copy.ts';

const FILE = 'secrets.enc';
const ID = 'secrets';

interface Kept {
  name: string;
  /** Absent for the home namespace, as in backups of older versions. */
  namespace?: string;
  type: string;
  labels: Record<string, string>;
  data: Record<string, string>;
}

/** Our Secrets, only when asked for and only encrypted; their content is never in a file in clear. */
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
    const kept = found.map((secret): Kept => ({
      name: secret.metadata.name,
      ...(secret.metadata.namespace && secret.metadata.namespace !== ctx.namespace
        ? { namespace: secret.metadata.namespace }
        : {}),
      type: typeof secret['type'] === 'string' ? secret['type'] : 'Opaque',
      labels: secret.metadata.labels ?? {},
      data: (secret['data'] ?? {}) as Record<string, string>,
    }));
    await ctx.out.text(FILE, ID, encrypt(JSON.stringify(kept), await ctx.passphrase()));
  },
  plan,
  restore: async (ctx) => runActions(ctx, await plan(ctx), true),
};

async function plan(ctx: RestoreContext): Promise<Action[]> {
  const there = ctx.backup.manifest.files.some((file) => file.path === FILE);
  if (!ctx.includeSecrets)
    return there ? [{ object: 'secrets', action: 'skip', detail: 'only with --include-secrets' }] : [];
  if (!there)
    throw new ObsError({
      what: 'the backup has no secrets',
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
  for (const kept of JSON.parse(text) as Kept[]) {
    for (const value of Object.values(kept.data)) registerSecret(Buffer.from(value, 'base64').toString());
    const namespace = homeOf(ctx, kept);
    const live = await ctx.kube.read({ apiVersion: 'v1', kind: 'Secret', namespace, name: kept.name });
    const object = `Secret ${namespace === ctx.namespace ? '' : `${namespace}/`}${kept.name}`;
    if (live && sameData((live['data'] ?? {}) as Record<string, string>, kept.data))
      actions.push({ object, action: 'same' });
    else
      actions.push({
        object,
        action: live ? 'update' : 'create',
        ...(kept.name === GRAFANA_ADMIN ? { detail: 'and the password in Grafana' } : {}),
        run: () => put(ctx, kept, live),
      });
  }
  return actions;
}

/** Grafana reads its own where it is now, wherever it was when the backup was made. */
function homeOf(ctx: RestoreContext, kept: Kept): string {
  return kept.name === GRAFANA_ADMIN ? namespaceOf(ctx.config, 'grafana') : (kept.namespace ?? ctx.namespace);
}

function sameData(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys({ ...a, ...b });
  return keys.every((key) => a[key] === b[key]);
}

async function put(ctx: RestoreContext, kept: Kept, live: KubeObject | undefined): Promise<void> {
  if (kept.name === GRAFANA_ADMIN && live && ctx.config.grafana.enabled) await changePassword(ctx, kept);
  if (live) await ctx.kube.replace({ ...live, data: kept.data });
  else
    await ctx.kube.create({
      apiVersion: 'v1',
      kind: 'Secret',
      type: kept.type,
      metadata: { name: kept.name, namespace: homeOf(ctx, kept), labels: kept.labels },
      data: kept.data,
    });
}

/** Grafana takes the Secret only at its first start; later the password is in its database. */
async function changePassword(ctx: RestoreContext, kept: Kept): Promise<void> {
  const now = await grafanaAdmin(ctx.kube, namespaceOf(ctx.config, 'grafana'));
  const password = Buffer.from(kept.data['admin-password'] ?? '', 'base64').toString();
  if (!password || password === now.password) return;
  await withGrafana(ctx, (api) =>
    api.send('PUT', '/api/user/password', { oldPassword: now.password, newPassword: password, confirmNew: password }),
  );
}

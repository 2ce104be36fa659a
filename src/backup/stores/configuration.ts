import { stringify } from 'yaml';
import { storedReleases } from '../../adapters/helm.ts';
import { OWN_SELECTOR } from '../../core/labels.ts';
import { namespacesOf } from '../../profile/schema.ts';
import { CONFIG_FILE, filesOf } from '../archive/manifest.ts';
import type { Action, BackupContext, RestoreContext, Store } from '../types.ts';

const ID = 'configuration';

/** `genai-obs install -f config.yaml` reproduces all; releases and ConfigMaps are for reference. */
export const configurationStore: Store = {
  id: ID,
  title: 'Configuration',
  enabled: () => true,
  async backup(ctx) {
    await ctx.out.text(
      CONFIG_FILE,
      ID,
      `# Reproduces the installation: genai-obs install -f ${CONFIG_FILE}\n${stringify(ctx.config)}`,
    );
    for (const namespace of namespacesOf(ctx.config)) await describe(ctx, namespace);
  },
  plan,
  restore: () => Promise.resolve({ done: 0, failed: [] }),
};

/** Releases and ConfigMaps of one namespace. Namespaces other than the home namespace get a folder. */
async function describe(ctx: BackupContext, namespace: string): Promise<void> {
  const isHome = namespace === ctx.namespace;
  const folder = isHome ? '' : `${namespace}/`;
  for (const release of [...(await storedReleases(ctx.kube, namespace)).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const { name, revision, status, updated, payload } = release;
    await ctx.out.text(
      `releases/${folder}${name}.json`,
      ID,
      `${JSON.stringify({ name, revision, status, updated, values: payload().values }, null, 2)}\n`,
    );
  }
  for (const object of await ctx.kube.list('ConfigMap', namespace, OWN_SELECTOR)) {
    const { name, labels } = object.metadata;
    const configMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ...(isHome ? {} : { namespace }), ...(labels ? { labels } : {}) },
      data: object['data'],
      ...(object['binaryData'] ? { binaryData: object['binaryData'] } : {}),
    };
    await ctx.out.text(`configmaps/${folder}${name}.yaml`, ID, stringify(configMap));
  }
}

function plan(ctx: RestoreContext): Promise<Action[]> {
  const files = filesOf(ctx.backup.manifest, ID);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return Promise.resolve([
    {
      object: `${CONFIG_FILE}, values of releases, ConfigMaps (${files.length} files)`,
      action: 'skip',
      detail: `restored by: genai-obs install -f ${CONFIG_FILE}`,
      bytes,
    },
  ]);
}

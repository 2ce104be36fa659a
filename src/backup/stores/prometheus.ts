import { placeOf } from '../../parts/catalog.ts';
import { ObsError } from '../../core/errors.ts';
import { SNAPSHOT, withHelper } from '../claims/helperPod.ts';
import { listScript } from '../claims/scripts.ts';
import { type BackupContext, type Store, runActions } from '../types.ts';
import { closeVolume, hasClaim } from '../claims/copy.ts';
import { planVolume } from '../claims/replace.ts';

/** Copies a snapshot of Prometheus, taken by its admin API: consistent without a stop, including samples in memory. */
export const prometheusStore: Store = {
  id: 'prometheus',
  title: 'Prometheus: metrics',
  enabled: (config) => config.prometheus.enabled,
  async backup(ctx) {
    if (!(await hasClaim(ctx, 'prometheus'))) return;
    await withHelper(ctx, 'prometheus', true, async (helper) => {
      ctx.report('Prometheus: taking a snapshot');
      const name = await snapshot(ctx);
      try {
        await helper.annotate(SNAPSHOT, name);
        const folder = `/data/snapshots/${name}`;
        const list = await helper.text(listScript(folder));
        ctx.report('Prometheus: copying the snapshot');
        const path = 'prometheus/data-1.tar.gz';
        const { complete } = await helper.download(folder, path, ctx);
        if (!complete)
          throw new ObsError({
            what: 'some files of the Prometheus snapshot could not be read',
            object: `Pod ${helper.pod.namespace}/${helper.pod.name}`,
            next: 'run the same backup again',
          });
        await closeVolume(ctx, 'prometheus', list, [path]);
      } finally {
        await helper.text(deleteScript(name));
      }
    });
  },
  plan: (ctx) => planVolume(ctx, 'prometheus'),
  restore: async (ctx) => runActions(ctx, await planVolume(ctx, 'prometheus'), false),
};

/** Script that deletes a snapshot, and the folder of snapshots if it is then empty. */
export function deleteScript(name: string): string {
  if (!/^\d{8}T\d{6}Z-[0-9a-f]+$/.test(name)) throw new Error(`not a snapshot name: ${name}`);
  return `rm -rf /data/snapshots/${name}; rmdir /data/snapshots 2>/dev/null || true`;
}

async function snapshot(ctx: BackupContext): Promise<string> {
  const { namespace, service } = placeOf(ctx.config, 'prometheus');
  const answer = await ctx.kube.service(namespace, service.name, service.port, '/api/v1/admin/tsdb/snapshot', {
    method: 'POST',
    timeout: 300_000,
  });
  const body = parsed(answer.body);
  if (body.data?.name) return body.data.name;
  const disabled = /admin APIs disabled/i.test(answer.body);
  throw new ObsError({
    what: 'Prometheus refused to take a snapshot',
    object: `Service ${namespace}/${service.name}`,
    cause: `HTTP ${answer.status} ${body.error ?? answer.body.slice(0, 200)}`,
    next: disabled ? 'genai-obs install: it sets --web.enable-admin-api' : 'genai-obs doctor',
  });
}

function parsed(text: string): { data?: { name?: string }; error?: string } {
  try {
    return JSON.parse(text) as { data?: { name?: string }; error?: string };
  } catch {
    return {};
  }
}

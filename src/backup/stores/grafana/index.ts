import { type GrafanaApi, withGrafana } from './api.ts';
import {
  type DashboardEntry,
  GRAFANA_FILES,
  alertingOf,
  dashboardOf,
  datasourcesOf,
  foldersOf,
  search,
} from './read.ts';
import { planGrafana, restoreGrafana } from './restore.ts';
import { type BackupContext, type Store, checkpoint } from '../../types.ts';

/** What users created in Grafana, read through its API. Without secrets: the API does not return them. */
export const grafanaStore: Store = {
  id: 'grafana',
  title: 'Grafana: folders, datasources, dashboards, alerting',
  enabled: (config) => config.grafana.enabled,
  backup: (ctx) =>
    withGrafana(ctx, async (api) => {
      ctx.report('Grafana: reading folders, datasources, dashboards and alerting');
      await write(ctx, GRAFANA_FILES.folders, await foldersOf(api));
      await write(ctx, GRAFANA_FILES.datasources, await datasourcesOf(ctx, api));
      await write(ctx, GRAFANA_FILES.dashboards, await dashboardsInto(ctx, api));
      await write(ctx, GRAFANA_FILES.alerting, await alertingOf(api));
    }),
  plan: (ctx) => withGrafana(ctx, (api) => planGrafana(ctx, api)),
  restore: restoreGrafana,
};

async function write(ctx: BackupContext, path: string, value: unknown): Promise<void> {
  await ctx.out.text(path, 'grafana', `${JSON.stringify(value, null, 2)}\n`);
}

async function dashboardsInto(ctx: BackupContext, api: GrafanaApi): Promise<DashboardEntry[]> {
  const entries: DashboardEntry[] = [];
  for (const { uid, title } of await search(api, 'dash-db')) {
    checkpoint(ctx);
    const answer = await dashboardOf(api, uid);
    if (!answer) continue;
    const file = `grafana/dashboards/${Buffer.from(uid).toString('base64url')}.json`;
    await write(ctx, file, answer.dashboard);
    entries.push({
      uid,
      title,
      folderUid: answer.meta.folderUid ?? '',
      provisioned: answer.meta.provisioned === true,
      file,
    });
  }
  return entries;
}

import { canonical } from '../../../core/compare.ts';
import type { JsonMap } from '../../../core/types.ts';
import {
  type DashboardEntry,
  type Datasource,
  type Folder,
  GRAFANA_FILES,
  dashboardOf,
  datasourcesOf,
  foldersOf,
  provisioned,
} from './read.ts';
import { alerting } from './alerting.ts';
import { type GrafanaApi, withGrafana } from './api.ts';
import { readJson } from '../../archive/archive.ts';
import { type Action, type Outcome, type RestoreContext, checkpoint, runActions } from '../../types.ts';

/** Each stage is planned after the previous one is restored: a dashboard needs its folder, a rule its datasource. */
const STAGES = [folders, datasources, dashboards, alerting];

export async function planGrafana(ctx: RestoreContext, api: GrafanaApi): Promise<Action[]> {
  const actions: Action[] = [];
  for (const stage of STAGES) actions.push(...(await stage(ctx, api)));
  return actions;
}

export function restoreGrafana(ctx: RestoreContext): Promise<Outcome> {
  return withGrafana(ctx, async (api) => {
    const sum: Outcome = { done: 0, failed: [] };
    for (const stage of STAGES) {
      checkpoint(ctx);
      const { done, failed } = await runActions(ctx, await stage(ctx, api), true);
      sum.done += done;
      sum.failed.push(...failed);
    }
    return sum;
  });
}

async function folders(ctx: RestoreContext, api: GrafanaApi): Promise<Action[]> {
  const wanted = (await readJson<Folder[]>(ctx.backup, GRAFANA_FILES.folders)) ?? [];
  const live = new Map((await foldersOf(api)).map((folder) => [folder.uid, folder]));
  return wanted.map((folder): Action => {
    const object = `folder "${folder.title}"`;
    const there = live.get(folder.uid);
    if (!there) return { object, action: 'create', run: () => api.send('POST', '/api/folders', folder) };
    if (there.title === folder.title) return { object, action: 'same' };
    return { object, action: 'skip', detail: `its title is now "${there.title}"` };
  });
}

async function datasources(ctx: RestoreContext, api: GrafanaApi): Promise<Action[]> {
  const wanted = (await readJson<Datasource[]>(ctx.backup, GRAFANA_FILES.datasources)) ?? [];
  const live = new Map((await datasourcesOf({ warnings: [] }, api)).map((source) => [source.uid, source]));
  return wanted.map((source): Action => {
    const object = `datasource "${source.name}"`;
    const there = live.get(source.uid);
    const secrets = Object.keys((source['secureJsonFields'] ?? {}) as JsonMap);
    const note = secrets.length ? { detail: `enter its secrets (${secrets.join(', ')}) again` } : {};
    const same = there && canonical(settingsOf(there)) === canonical(settingsOf(source));
    if (source['readOnly'] === true || there?.['readOnly'] === true) return provisioned(object, there, same);
    const body = settingsOf(source);
    if (!there) return { object, action: 'create', ...note, run: () => api.send('POST', '/api/datasources', body) };
    if (same) return { object, action: 'same' };
    // Without secureJsonData, Grafana keeps its current secrets.
    return {
      object,
      action: 'update',
      run: () => api.send('PUT', `/api/datasources/uid/${encodeURIComponent(source.uid)}`, body),
    };
  });
}

const settingsOf = ({ secureJsonFields: _fields, readOnly: _readOnly, ...settings }: Datasource): JsonMap => settings;

async function dashboards(ctx: RestoreContext, api: GrafanaApi): Promise<Action[]> {
  const wanted = (await readJson<DashboardEntry[]>(ctx.backup, GRAFANA_FILES.dashboards)) ?? [];
  const actions: Action[] = [];
  for (const entry of wanted) {
    checkpoint(ctx);
    const object = `dashboard "${entry.title}"`;
    const board = await readJson<JsonMap>(ctx.backup, entry.file);
    const there = await dashboardOf(api, entry.uid);
    const same =
      board &&
      there &&
      canonical(plain(board)) === canonical(plain(there.dashboard)) &&
      (there.meta.folderUid ?? '') === entry.folderUid;
    if (entry.provisioned || there?.meta.provisioned) actions.push(provisioned(object, there, same));
    else if (same) actions.push({ object, action: 'same' });
    else
      actions.push({
        object,
        action: there ? 'update' : 'create',
        run: () =>
          api.send('POST', '/api/dashboards/db', {
            dashboard: { ...plain(board ?? {}), id: null },
            folderUid: entry.folderUid,
            overwrite: true,
            message: `restored from the backup of ${ctx.backup.manifest.createdAt}`,
          }),
      });
  }
  return actions;
}

/** Without the numbers that Grafana assigns. */
function plain(board: JsonMap): JsonMap {
  const { id: _id, version: _version, ...rest } = board;
  return rest;
}

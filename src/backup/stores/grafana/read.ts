import type { JsonMap } from '../../../core/types.ts';
import type { GrafanaApi } from './api.ts';
import type { Action, BackupContext } from '../../types.ts';

export const GRAFANA_FILES = {
  folders: 'grafana/folders.json',
  datasources: 'grafana/datasources.json',
  dashboards: 'grafana/dashboards.json',
  alerting: 'grafana/alerting.json',
};

export interface Folder {
  uid: string;
  title: string;
  parentUid?: string;
}

export interface Datasource extends JsonMap {
  uid: string;
  name: string;
  type: string;
}

/** One dashboard: `file` is its own JSON. */
export interface DashboardEntry {
  uid: string;
  title: string;
  folderUid: string;
  /** Comes from a file or ConfigMap: the installation restores it, we only compare. */
  provisioned: boolean;
  file: string;
}

export interface Alerting {
  contactPoints: JsonMap[];
  policies: JsonMap | null;
  templates: JsonMap[];
  muteTimings: JsonMap[];
  groups: Group[];
}

export type Group = JsonMap & { title: string; folderUid: string; rules: JsonMap[] };

export interface Hit {
  uid: string;
  title: string;
  folderUid?: string;
}

export async function search(api: GrafanaApi, type: 'dash-db' | 'dash-folder'): Promise<Hit[]> {
  const hits: Hit[] = [];
  for (let page = 1; ; page++) {
    const found = (await api.get<Hit[]>(`/api/search?type=${type}&limit=1000&page=${page}`)) ?? [];
    hits.push(...found);
    if (found.length < 1000) return hits;
  }
}

/** Parents before children: the order in which they must be created. */
export async function foldersOf(api: GrafanaApi): Promise<Folder[]> {
  const folders = (await search(api, 'dash-folder')).map(({ uid, title, folderUid }): Folder => ({
    uid,
    title,
    ...(folderUid ? { parentUid: folderUid } : {}),
  }));
  const byUid = new Map(folders.map((folder) => [folder.uid, folder]));
  const depth = ({ parentUid }: Folder): number => {
    const parent = byUid.get(parentUid ?? '');
    return parent ? 1 + depth(parent) : 0;
  };
  return folders.toSorted((a, b) => depth(a) - depth(b));
}

const NEVER = ['secureJsonData', 'password', 'basicAuthPassword'];
const VOLATILE = ['id', 'orgId', 'version', 'typeLogoUrl', 'typeName', 'accessControl'];

export async function datasourcesOf(ctx: Pick<BackupContext, 'warnings'>, api: GrafanaApi): Promise<Datasource[]> {
  const all = (await api.get<Datasource[]>('/api/datasources')) ?? [];
  return Promise.all(
    all.map(async (summary) => {
      const full = (await api.get<Datasource>(`/api/datasources/uid/${encodeURIComponent(summary.uid)}`)) ?? summary;
      const secret = Object.keys((full['secureJsonFields'] ?? {}) as JsonMap);
      if (secret.length)
        ctx.warnings.push(
          `datasource "${full.name}": its secrets (${secret.join(', ')}) are not in the backup; ` +
            'enter them again after a restore',
        );
      return Object.fromEntries(
        Object.entries(full).filter(([key]) => !NEVER.includes(key) && !VOLATILE.includes(key)),
      ) as Datasource;
    }),
  );
}

export function dashboardOf(
  api: GrafanaApi,
  uid: string,
): Promise<{ dashboard: JsonMap; meta: { folderUid?: string; provisioned?: boolean } } | undefined> {
  return api.get(`/api/dashboards/uid/${encodeURIComponent(uid)}`);
}

/** Grafana's placeholder for a secret. In a request it means: keep the current value. */
export const REDACTED = '[REDACTED]';
export const PROVISIONING = '/api/v1/provisioning';

export const groupPath = (folder: string, group: string): string =>
  `${PROVISIONING}/folder/${encodeURIComponent(folder)}/rule-groups/${encodeURIComponent(group)}`;

export async function alertingOf(api: GrafanaApi): Promise<Alerting> {
  const rules =
    (await api.get<{ uid: string; folderUID: string; ruleGroup: string; provenance?: string }[]>(
      `${PROVISIONING}/alert-rules`,
    )) ?? [];
  const names = new Map(
    rules.map(({ folderUID, ruleGroup }) => [`${folderUID}/${ruleGroup}`, { folderUID, ruleGroup }]),
  );
  // The API of a group omits the provenance of its rules.
  const made = new Map<unknown, JsonMap>(rules.map(({ uid, provenance }) => [uid, provenance ? { provenance } : {}]));
  const groups: Group[] = [];
  for (const { folderUID, ruleGroup } of names.values()) {
    const group = await api.get<Group>(groupPath(folderUID, ruleGroup));
    if (group)
      groups.push({
        ...group,
        folderUid: folderUID,
        rules: group.rules.map((rule) => ({ ...rule, ...made.get(rule['uid']) })),
      });
  }
  return {
    contactPoints: ((await api.get<JsonMap[]>(`${PROVISIONING}/contact-points`)) ?? []).map(withoutSecrets),
    policies: (await api.get<JsonMap>(`${PROVISIONING}/policies`)) ?? null,
    templates: (await api.get<JsonMap[]>(`${PROVISIONING}/templates`)) ?? [],
    muteTimings: (await api.get<JsonMap[]>(`${PROVISIONING}/mute-timings`)) ?? [],
    groups,
  };
}

/** Removes redacted settings and keeps their names: a restore must not write the placeholder as a password. */
export function withoutSecrets(point: JsonMap): JsonMap {
  const settings = Object.entries((point['settings'] ?? {}) as JsonMap);
  const secret = settings.filter(([, value]) => value === REDACTED).map(([key]) => key);
  return {
    ...point,
    settings: Object.fromEntries(settings.filter(([key]) => !secret.includes(key))),
    ...(secret.length ? { secretSettings: secret } : {}),
  };
}

/** The action for an object that the installation provisions: we only compare it. */
export function provisioned(object: string, there: unknown, same: boolean | undefined): Action {
  if (!there)
    return {
      object,
      action: 'skip',
      detail: 'provisioned in the backup, but missing here; restored by: genai-obs install -f config.yaml',
    };
  return same
    ? { object, action: 'same', detail: 'provisioned by the installation' }
    : { object, action: 'skip', detail: 'provisioned by the installation; differs from the backup' };
}

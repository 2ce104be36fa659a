import { canonical } from '../../../core/compare.ts';
import type { JsonMap } from '../../../core/types.ts';
import type { GrafanaApi } from './api.ts';
import {
  type Alerting,
  GRAFANA_FILES,
  type Group,
  PROVISIONING,
  REDACTED,
  alertingOf,
  groupPath,
  provisioned,
} from './read.ts';
import { readJson } from '../../archive/archive.ts';
import type { Action, RestoreContext } from '../../types.ts';

/** Actions in the order in which the objects refer to each other. */
export async function alerting(ctx: RestoreContext, api: GrafanaApi): Promise<Action[]> {
  const wanted = await readJson<Alerting>(ctx.backup, GRAFANA_FILES.alerting);
  if (!wanted) return [];
  const live = await alertingOf(api);
  const rules = new Set(live.groups.flatMap((group) => group.rules.map((rule) => rule['uid'])));
  return [
    ...wanted.templates.map((item) =>
      named(api, 'message template', item, live.templates, (name) => ['PUT', `${PROVISIONING}/templates/${name}`]),
    ),
    ...wanted.muteTimings.map((item) =>
      named(api, 'mute timing', item, live.muteTimings, (name, there) =>
        there ? ['PUT', `${PROVISIONING}/mute-timings/${name}`] : ['POST', `${PROVISIONING}/mute-timings`],
      ),
    ),
    ...wanted.contactPoints.map((item) => contactPoint(api, item, live.contactPoints)),
    ...policies(api, wanted.policies, live.policies),
    ...wanted.groups.map((group) => ruleGroup(api, group, live.groups, rules)),
  ];
}

/** Provisioned from a file. */
const managed = (item: JsonMap): boolean => item['provenance'] === 'file';
/** False for an object that was created by the API without X-Disable-Provenance: it must stay locked. */
const editable = (item: JsonMap, there: JsonMap | null | undefined): boolean => (there ?? item)['provenance'] !== 'api';
const text = (item: JsonMap | undefined, key: string): string => (typeof item?.[key] === 'string' ? item[key] : '');

const bare = ({ provenance: _provenance, version: _version, ...rest }: JsonMap): JsonMap => rest;

function named(
  api: GrafanaApi,
  title: string,
  item: JsonMap,
  live: JsonMap[],
  how: (name: string, there: boolean) => ['PUT' | 'POST', string],
): Action {
  const name = text(item, 'name');
  const object = `${title} "${name}"`;
  const there = live.find((other) => other['name'] === name);
  if (there && canonical(bare(there)) === canonical(bare(item))) return { object, action: 'same' };
  if (managed(item)) return provisioned(object, there, false);
  return {
    object,
    action: there ? 'update' : 'create',
    run: () => api.send(...how(encodeURIComponent(name), Boolean(there)), bare(item), editable(item, there)),
  };
}

function contactPoint(api: GrafanaApi, item: JsonMap, live: JsonMap[]): Action {
  const object = `contact point "${text(item, 'name')}" (${text(item, 'type')})`;
  const byUid = live.find((other) => item['uid'] && other['uid'] === item['uid']);
  const there = byUid ?? live.find((other) => other['name'] === item['name'] && other['type'] === item['type']);
  const content = (point: JsonMap): string =>
    canonical({
      name: point['name'],
      type: point['type'],
      settings: point['settings'],
      disableResolveMessage: point['disableResolveMessage'] ?? false,
    });
  if (there && content(there) === content(item)) return { object, action: 'same' };
  if (managed(item)) return provisioned(object, there, false);
  const uid = text(there, 'uid');
  if (there && !uid) return { object, action: 'skip', detail: 'built into Grafana; differs from the backup' };
  const { secretSettings = [], ...body } = bare(item) as JsonMap & { secretSettings?: string[] };
  const withSecrets = {
    ...(body['settings'] as JsonMap),
    ...Object.fromEntries(secretSettings.map((key) => [key, REDACTED])),
  };
  if (there)
    return {
      object,
      action: 'update',
      run: () =>
        api.send(
          'PUT',
          `${PROVISIONING}/contact-points/${encodeURIComponent(uid)}`,
          { ...body, settings: withSecrets },
          editable(item, there),
        ),
    };
  const detail = secretSettings.length
    ? { detail: `enter its secrets (${secretSettings.join(', ')}) again: they are not in the backup` }
    : {};
  return {
    object,
    action: 'create',
    ...detail,
    run: () => api.send('POST', `${PROVISIONING}/contact-points`, body, editable(item, there)),
  };
}

function policies(api: GrafanaApi, wanted: JsonMap | null, live: JsonMap | null): Action[] {
  if (!wanted) return [];
  const object = 'notification policies';
  if (live && canonical(bare(live)) === canonical(bare(wanted))) return [{ object, action: 'same' }];
  if (managed(wanted)) return [provisioned(object, live, false)];
  return [
    {
      object,
      action: 'update',
      detail: 'the whole tree',
      run: () => api.send('PUT', `${PROVISIONING}/policies`, bare(wanted), editable(wanted, undefined)),
    },
  ];
}

function ruleGroup(api: GrafanaApi, group: Group, live: Group[], known: Set<unknown>): Action {
  const object = `alert rules "${group.title}" (${group.rules.length})`;
  const there = live.find((other) => other.folderUid === group.folderUid && other.title === group.title);
  const content = (one: Group): string => canonical({ interval: one['interval'], rules: one.rules.map(plainRule) });
  if (there && content(there) === content(group)) return { object, action: 'same' };
  if (group.rules.some(managed)) return provisioned(object, there, false);
  return { object, action: there ? 'update' : 'create', run: () => putGroup(api, group, known) };
}

function plainRule({
  id: _id,
  updated: _updated,
  provenance: _provenance,
  version: _version,
  ...rule
}: JsonMap): JsonMap {
  return rule;
}

/** Writing a group sets the interval and the order, but Grafana accepts only rules that already exist. */
async function putGroup(api: GrafanaApi, group: Group, known: Set<unknown>): Promise<void> {
  const rules = group.rules.map(plainRule);
  for (const [i, rule] of rules.entries())
    if (!known.has(rule['uid']))
      await api.send('POST', `${PROVISIONING}/alert-rules`, rule, editable(group.rules[i] ?? rule, undefined));
  const path = groupPath(group.folderUid, group.title);
  await api.send(
    'PUT',
    path,
    { title: group.title, folderUid: group.folderUid, interval: group['interval'], rules },
    !group.rules.some((rule) => rule['provenance'] === 'api'),
  );
}

import { placeOf } from '../../parts/catalog.ts';
import { canonical } from '../../core/compare.ts';
import { ObsError } from '../../core/errors.ts';
import { plural } from '../../core/text.ts';
import type { Json, JsonMap } from '../../core/types.ts';
import { readJson } from '../archive/archive.ts';
import { type Action, type Context, type RestoreContext, type Store, runActions } from '../types.ts';
import { liveOf } from '../claims/workload.ts';

const FILE = 'alertmanager/silences.json';

interface Silence {
  id?: string;
  status?: { state: 'active' | 'pending' | 'expired' };
  matchers: Json[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
  annotations?: JsonMap;
}

/** Active and pending silences. Alerts are not stored: the rules fire them again. */
export const alertmanagerStore: Store = {
  id: 'alertmanager',
  title: 'Alertmanager: silences',
  enabled: (config) => config.alertmanager.enabled,
  async backup(ctx) {
    const silences = (await silencesOf(ctx)).filter((silence) => silence.status?.state !== 'expired');
    await ctx.out.text(FILE, 'alertmanager', `${JSON.stringify(silences, null, 2)}\n`);
  },
  plan,
  restore: async (ctx) => runActions(ctx, await plan(ctx), true),
};

async function plan(ctx: RestoreContext): Promise<Action[]> {
  const silences = (await readJson<Silence[]>(ctx.backup, FILE)) ?? [];
  if (silences.length === 0) return [];
  if (!(await liveOf(ctx, 'alertmanager')))
    return [{ object: plural(silences.length, 'silence'), action: 'skip', detail: 'Alertmanager is not installed' }];
  const live = new Set((await silencesOf(ctx)).filter((silence) => silence.status?.state !== 'expired').map(identity));
  return silences.map((silence): Action => {
    const object = `silence "${silence.comment || silence.id}"`;
    if (live.has(identity(silence))) return { object, action: 'same' };
    if (Date.parse(silence.endsAt) <= Date.now())
      return { object, action: 'skip', detail: `ended at ${silence.endsAt}` };
    return { object, action: 'create', detail: `until ${silence.endsAt}`, run: () => post(ctx, silence) };
  });
}

/** Without the id: Alertmanager assigns a new one to a restored silence. */
const identity = ({ matchers, endsAt, createdBy, comment }: Silence): string =>
  canonical({ matchers, endsAt: Date.parse(endsAt), createdBy, comment });

async function silencesOf(ctx: Context): Promise<Silence[]> {
  const { namespace, service } = placeOf(ctx.config, 'alertmanager');
  const answer = await ctx.kube.service(namespace, service.name, service.port, '/api/v2/silences');
  if (answer.status !== 200)
    throw new ObsError({
      what: 'the silences of Alertmanager could not be read',
      object: `Service ${namespace}/${service.name}`,
      cause: `HTTP ${answer.status} ${answer.body.slice(0, 200)}`,
      next: 'genai-obs doctor',
    });
  return JSON.parse(answer.body) as Silence[];
}

async function post(ctx: RestoreContext, silence: Silence): Promise<void> {
  const { namespace, service } = placeOf(ctx.config, 'alertmanager');
  const { matchers, startsAt, endsAt, createdBy, comment, annotations } = silence;
  const body = JSON.stringify({
    matchers,
    startsAt,
    endsAt,
    createdBy,
    comment,
    ...(annotations ? { annotations } : {}),
  });
  const answer = await ctx.kube.service(namespace, service.name, service.port, '/api/v2/silences', {
    method: 'POST',
    body,
  });
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status} ${answer.body.slice(0, 200)}`);
}

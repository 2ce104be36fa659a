import type { Collector } from './context.ts';

/** Newest revision of each Helm release, from the labels of helm's own Secrets; the payload holds values and is not read. */
export const releases: Collector = async (what, context) => {
  if (what !== 'helm') throw new Error(`unknown fact releases:${what}`);
  const newest = new Map<
    string,
    { name: string; namespace: string; revision: number; status: string; chart: string; updated: string }
  >();
  for (const { metadata } of await context.objects('Secret')) {
    const { owner, name, status = '', version, modifiedAt } = metadata.labels ?? {};
    if (owner !== 'helm' || !name) continue;
    const namespace = metadata.namespace ?? context.config.namespace;
    const key = `${namespace}/${name}`;
    const revision = Number(version);
    if (revision <= (newest.get(key)?.revision ?? 0)) continue;
    const at = Number(modifiedAt);
    const updated =
      Number.isFinite(at) && at > 0 ? new Date(at * 1000).toISOString() : (metadata.creationTimestamp ?? '');
    newest.set(key, { name, namespace, revision, status, chart: '', updated });
  }
  return [...newest.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
};

/** Live objects against the plan: the installer's own comparison, brought by the caller. */
export const drift: Collector = async (_what, context) => {
  if (!context.drift) throw new Error('live objects cannot be compared with the plan here');
  return context.drift();
};

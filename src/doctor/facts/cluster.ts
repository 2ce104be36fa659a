import { KubeError } from '../../adapters/kube.ts';
import type { ApiServer, HelmRelease } from '../../checks/lib/values.ts';
import { oneLine } from '../../core/text.ts';
import type { Collector } from './context.ts';

/** `version`, or `ready`: an API server that does not respond is a finding (status 0), not a failed fact. */
export const cluster: Collector = async (what, { kube }) => {
  if (what === 'version') return kube.json('/version');
  if (what !== 'ready') throw new Error(`unknown fact cluster:${what}`);
  const { server, context } = kube;
  try {
    const { status, body } = await kube.request('GET', '/readyz');
    const error = status === 200 ? {} : { error: oneLine(body, 200) };
    return { status, server, context, ...error } satisfies ApiServer;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { status: 0, server, context, error: error.message } satisfies ApiServer;
  }
};

/** Newest revision of each Helm release, by the labels of helm's Secrets; the payload holds values and is not read. */
export const releases: Collector = async (what, context) => {
  if (what !== 'helm') throw new Error(`unknown fact releases:${what}`);
  const newest = new Map<string, HelmRelease & { chart: string; updated: string }>();
  for (const { metadata } of await context.objects('Secret')) {
    const { owner, name, status = '', version, modifiedAt } = metadata.labels ?? {};
    if (owner !== 'helm' || !name) continue;
    const namespace = metadata.namespace ?? context.config.namespace;
    const key = `${namespace}/${name}`;
    const revision = Number(version);
    if (revision <= (newest.get(key)?.revision ?? 0)) continue;
    const seconds = Number(modifiedAt);
    const updated = seconds > 0 ? new Date(seconds * 1000).toISOString() : (metadata.creationTimestamp ?? '');
    newest.set(key, { name, namespace, revision, status, chart: '', updated });
  }
  return [...newest.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
};

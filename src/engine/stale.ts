import { releasesIn, type StoredRelease } from '../adapters/helm.ts';
import type { Hands } from './apply.ts';
import { isOurRelease } from './foreign.ts';
import { namespacesOfInstallation } from './namespaces.ts';
import type { Eyes } from './observe.ts';
import type { Observation, StaleStep } from './types.ts';

async function staleReleases(step: StaleStep, eyes: Pick<Eyes, 'kube' | 'namespace'>): Promise<StoredRelease[]> {
  const releases = await releasesIn(eyes.kube, await namespacesOfInstallation(eyes));
  const wanted = new Set(step.wanted);
  return [...releases.values()].filter(
    (release) => release.status !== 'uninstalled' && !wanted.has(`${release.namespace}/${release.name}`) && isOurRelease(release),
  );
}

/** What `install` would remove; claims and secrets belong to no release and stay. */
export async function observeStale(step: StaleStep, eyes: Eyes): Promise<Observation> {
  const stale = await staleReleases(step, eyes);
  if (stale.length === 0) return { state: 'done', changes: [] };
  const changes = stale.map(({ namespace, record }) => ({
    ref: { apiVersion: 'v1', kind: 'Secret', namespace, name: record },
    action: 'delete' as const,
    changes: [],
  }));
  return { state: 'drifted', changes, detail: stale.map(({ namespace, name }) => `release ${namespace}/${name}`).join(', ') };
}

export async function removeStale(step: StaleStep, hands: Hands, report: (detail: string) => void): Promise<void> {
  for (const { name, namespace } of await staleReleases(step, hands)) {
    report(`helm uninstall ${name}`);
    await hands.helm.uninstall({ release: name, namespace });
  }
}

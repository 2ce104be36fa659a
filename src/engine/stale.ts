import { releasesIn, type StoredRelease } from '../adapters/helm.ts';
import { isNamespaced, kindInfo } from '../adapters/kinds.ts';
import { FIELD_MANAGER } from '../adapters/serverSideApply.ts';
import { HOME_ANNOTATION, MANAGED_BY_LABEL, OWN_SELECTOR, PART_OF } from '../core/labels.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import type { Hands } from './apply.ts';
import { isOurRelease } from './foreign.ts';
import { gone } from './gone.ts';
import { namespacesOfInstallation } from './namespaces.ts';
import type { Eyes } from './observe.ts';
import type { ObjectChange, Observation, StaleStep } from './types.ts';

/** Kinds that we apply ourselves and whose objects hold nothing that is lost: no claims, secrets, definitions, namespaces. */
export const PRUNED = [
  'ConfigMap',
  'Service',
  'NetworkPolicy',
  'ClusterRole',
  'ClusterRoleBinding',
  'StorageClass',
  'OpenTelemetryCollector',
  'PrometheusRule',
  'ScrapeConfig',
  'ServiceMonitor',
  'Certificate',
  'Issuer',
] as const;

interface Stale {
  releases: StoredRelease[];
  objects: ObjectRef[];
}

async function lookFor(step: StaleStep, eyes: Pick<Eyes, 'kube' | 'namespace'>): Promise<Stale> {
  const places = await namespacesOfInstallation(eyes);
  const [releases, objects] = await Promise.all([releasesIn(eyes.kube, places), appliedObjects(eyes, places)]);
  const wanted = new Set(step.wanted);
  const planned = new Set(step.objects);
  return {
    releases: [...releases.values()].filter(
      (release) =>
        release.status !== 'uninstalled' &&
        !wanted.has(`${release.namespace}/${release.name}`) &&
        isOurRelease(release),
    ),
    objects: objects.map(refOf).filter((ref) => !planned.has(refText(ref))),
  };
}

async function appliedObjects(
  { kube, namespace }: Pick<Eyes, 'kube' | 'namespace'>,
  places: string[],
): Promise<KubeObject[]> {
  const lists = PRUNED.flatMap((kind) =>
    (isNamespaced(kind) ? places : [undefined]).map((place) => kube.list(kind, place, OWN_SELECTOR)),
  );
  return (await Promise.all(lists)).flat().filter((object) => isApplied(object, namespace));
}

/** By a plan of this installation: operators and charts copy labels and annotations, but not the owner of the fields. */
function isApplied({ metadata }: KubeObject, home: string): boolean {
  const { labels = {}, annotations = {}, managedFields = [], ownerReferences = [] } = metadata;
  return (
    labels[MANAGED_BY_LABEL] === PART_OF &&
    annotations[HOME_ANNOTATION] === home &&
    annotations['meta.helm.sh/release-name'] === undefined &&
    ownerReferences.length === 0 &&
    managedFields.some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply')
  );
}

/** What `install` would remove; claims and secrets stay. */
export async function observeStale(step: StaleStep, eyes: Eyes): Promise<Observation> {
  const { releases, objects } = await lookFor(step, eyes);
  const records = releases.map(({ namespace, record }): ObjectRef => ({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
    name: record,
  }));
  const changes = [...records, ...objects].map((ref): ObjectChange => ({ ref, action: 'delete', changes: [] }));
  if (changes.length === 0) return { state: 'done', changes };
  const detail = releases.map(({ namespace, name }) => `release ${namespace}/${name}`).join(', ');
  return { state: 'drifted', changes, ...(detail ? { detail } : {}) };
}

export async function removeStale(step: StaleStep, hands: Hands, report: (detail: string) => void): Promise<void> {
  const { releases, objects } = await lookFor(step, hands);
  const drop = async (refs: ObjectRef[]): Promise<void> => {
    for (const ref of refs) {
      report(`removing ${refText(ref)}`);
      await hands.kube.remove(ref);
    }
    await gone(refs, hands, 'the same install');
  };
  // An operator that is removed first leaves its finalizers behind (peers.md 3).
  await drop(objects.filter(({ kind }) => kindInfo(kind).custom));
  for (const { name, namespace } of releases) {
    report(`helm uninstall ${name}`);
    await hands.helm.uninstall({ release: name, namespace });
  }
  await drop(objects.filter(({ kind }) => !kindInfo(kind).custom));
}

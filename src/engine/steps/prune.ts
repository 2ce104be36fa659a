import { type StoredRelease, releasesIn } from '../../adapters/helm.ts';
import { isNamespaced, kindInfo } from '../../adapters/kinds.ts';
import { FIELD_MANAGER } from '../../adapters/serverSideApply.ts';
import { HOME_ANNOTATION, MANAGED_BY_LABEL, OWN_SELECTOR, PART_OF } from '../../core/labels.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../../core/types.ts';
import { namespacesOfInstallation } from '../state/namespaces.ts';
import { isOurRelease } from './ownership.ts';
import { type ReadContext, type StepBase, type StepKind, deletions } from './types.ts';
import { waitDeleted } from './waiting.ts';

/** Removes what we installed and the plan no longer contains: releases of disabled add-ons, objects of a feature. */
export interface PruneStep extends StepBase {
  kind: 'prune';
  /** `namespace/name` of every release of the plan. */
  wanted: string[];
  /** `Kind namespace/name` of every object that the plan applies, or removes in a step of its own. */
  objects: string[];
}

/** Kinds that we apply ourselves and that hold no data: no claims, Secrets, CRDs or namespaces. */
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

export const prune: StepKind<PruneStep> = {
  inputs: (step) => [step.wanted, step.objects],

  async observe(step, context) {
    const { releases, objects } = await findStale(step, context);
    const records = releases.map(({ namespace, record }) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace,
      name: record,
    }));
    const changes = deletions([...records, ...objects]);
    if (changes.length === 0) return { state: 'done', changes };
    const detail = releases.map(({ namespace, name }) => `release ${namespace}/${name}`).join(', ');
    return { state: 'drifted', changes, ...(detail ? { detail } : {}) };
  },

  /** Deletes custom resources before their operators, which would otherwise leave their finalizers behind. */
  async apply(step, context, { report }) {
    const { releases, objects } = await findStale(step, context);
    const remove = async (refs: ObjectRef[]): Promise<void> => {
      for (const ref of refs) {
        report(`removing ${refText(ref)}`);
        await context.kube.remove(ref);
      }
      await waitDeleted(refs, context, 'install');
    };
    await remove(objects.filter(({ kind }) => kindInfo(kind).custom));
    for (const { name, namespace } of releases) {
      report(`helm uninstall ${name}`);
      await context.helm.uninstall({ release: name, namespace });
    }
    await remove(objects.filter(({ kind }) => !kindInfo(kind).custom));
  },
};

interface Stale {
  releases: StoredRelease[];
  objects: ObjectRef[];
}

async function findStale(step: PruneStep, context: Pick<ReadContext, 'kube' | 'namespace'>): Promise<Stale> {
  const namespaces = await namespacesOfInstallation(context);
  const [releases, applied] = await Promise.all([
    releasesIn(context.kube, namespaces),
    appliedObjects(context, namespaces),
  ]);
  const wanted = new Set(step.wanted);
  const planned = new Set(step.objects);
  return {
    releases: [...releases.values()].filter(
      (release) =>
        release.status !== 'uninstalled' &&
        !wanted.has(`${release.namespace}/${release.name}`) &&
        isOurRelease(release),
    ),
    objects: applied.map(refOf).filter((ref) => !planned.has(refText(ref))),
  };
}

async function appliedObjects(
  { kube, namespace }: Pick<ReadContext, 'kube' | 'namespace'>,
  namespaces: string[],
): Promise<KubeObject[]> {
  const lists = PRUNED.flatMap((kind) =>
    (isNamespaced(kind) ? namespaces : [undefined]).map((place) => kube.list(kind, place, OWN_SELECTOR)),
  );
  return (await Promise.all(lists)).flat().filter((object) => isApplied(object, namespace));
}

/** Applied by this installation. Operators and charts copy labels and annotations, but not the field manager. */
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

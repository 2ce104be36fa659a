import type { Kube } from '../../adapters/kube.ts';
import { HOME_ANNOTATION, OWN_SELECTOR } from '../../core/labels.ts';
import { namespacesOf } from '../../profile/schema.ts';
import { JOURNAL, readJournal } from './journal.ts';

/** Never the home of another installation. @throws KubeError; ObsError for an unreadable journal */
export async function namespacesOfInstallation({
  kube,
  namespace,
}: {
  kube: Kube;
  namespace: string;
}): Promise<string[]> {
  const labelled = await kube.list('Namespace', undefined, OWN_SELECTOR);
  const ours = labelled
    .filter(({ metadata }) => metadata.annotations?.[HOME_ANNOTATION] === namespace)
    .map(({ metadata }) => metadata.name);
  const journal = await readJournal(kube, namespace);
  const used = (journal ? namespacesOf(journal.config) : []).filter(
    (name) => name !== namespace && !ours.includes(name),
  );
  const homes = await Promise.all(
    used.map((name) => kube.read({ apiVersion: 'v1', kind: 'ConfigMap', namespace: name, name: JOURNAL })),
  );
  return [...new Set([namespace, ...ours, ...used.filter((_name, i) => !homes[i])])];
}

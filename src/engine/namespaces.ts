import type { Kube } from '../adapters/kube.ts';
import { ObsError } from '../core/errors.ts';
import { HOME_ANNOTATION, OWN_SELECTOR } from '../core/labels.ts';
import { namespacesOf } from '../profile/schema.ts';
import { JOURNAL, readJournal } from './journal.ts';

interface Look {
  kube: Kube;
  namespace: string;
}

/**
 * The home, every namespace that was made for this installation, and those that it uses and that were there before; never the home of another
 * installation. @throws KubeError
 */
export async function namespacesOfInstallation({ kube, namespace }: Look): Promise<string[]> {
  const labelled = await kube.list('Namespace', undefined, OWN_SELECTOR);
  const ours = labelled.filter(({ metadata }) => metadata.annotations?.[HOME_ANNOTATION] === namespace).map(({ metadata }) => metadata.name);
  const used = (await usedBefore({ kube, namespace })).filter((name) => name !== namespace && !ours.includes(name));
  const homes = await Promise.all(used.map((name) => kube.read({ apiVersion: 'v1', kind: 'ConfigMap', namespace: name, name: JOURNAL })));
  return [...new Set([namespace, ...ours, ...used.filter((_name, i) => !homes[i])])];
}

/** As the journal has it. One that a newer genai-obs wrote says nothing to this one: then the labels alone tell. */
async function usedBefore({ kube, namespace }: Look): Promise<string[]> {
  try {
    const journal = await readJournal(kube, namespace);
    return journal ? namespacesOf(journal.config) : [];
  } catch (error) {
    if (error instanceof ObsError) return [];
    throw error;
  }
}

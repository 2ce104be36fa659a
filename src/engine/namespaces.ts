import type { Kube } from '../adapters/kube.ts';
import { HOME_ANNOTATION, OWN_SELECTOR } from '../core/labels.ts';

/** The home, and every namespace that was made for this installation. @throws KubeError */
export async function namespacesOfInstallation({ kube, namespace }: { kube: Kube; namespace: string }): Promise<string[]> {
  const ours = await kube.list('Namespace', undefined, OWN_SELECTOR);
  const more = ours.filter(({ metadata }) => metadata.annotations?.[HOME_ANNOTATION] === namespace).map(({ metadata }) => metadata.name);
  return [namespace, ...more.filter((name) => name !== namespace)];
}

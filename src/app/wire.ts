import { type Helm, helmFor } from '../adapters/helm.ts';
import { type Kube, connect, explainKube } from '../adapters/kube.ts';
import { type Kubectl, kubectlFor } from '../adapters/kubectl.ts';
import { EXIT, ObsError } from '../core/errors.ts';
import { type Journal, readJournal } from '../engine/journal.ts';
import type { Config } from '../profile/schema.ts';

export interface Wires {
  kube: Kube;
  helm: Helm;
  kubectl: Kubectl;
  context: string;
  namespace: string;
}

export const DEFAULT_NAMESPACE = 'genai-observability';

/** Connects everything to one context and namespace; nothing else opens connections. */
export async function wire(options: { context?: string | undefined; namespace?: string | undefined }): Promise<Wires> {
  const kube = await connect(options.context);
  const namespace = options.namespace ?? DEFAULT_NAMESPACE;
  return { kube, helm: helmFor(kube.context, namespace), kubectl: kubectlFor(kube.context, namespace), context: kube.context, namespace };
}

/** The journal of an installation that must exist. @throws ObsError when there is none, or the cluster does not answer */
export async function installed(wires: Wires): Promise<{ journal: Journal; config: Config }> {
  const journal = await journalOf(wires);
  if (!journal) {
    throw new ObsError({
      what: 'genai-obs is not installed here',
      object: `namespace ${wires.namespace}, context ${wires.context}`,
      next: `genai-obs install${wires.namespace === DEFAULT_NAMESPACE ? '' : ` --namespace ${wires.namespace}`}`,
      exit: EXIT.failed,
    });
  }
  return { journal, config: journal.config };
}

export async function journalOf(wires: Wires): Promise<Journal | undefined> {
  try {
    return await readJournal(wires.kube, wires.namespace);
  } catch (error) {
    throw explainKube(error, wires.kube, 'reading the journal');
  }
}

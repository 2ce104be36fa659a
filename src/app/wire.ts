import { type Helm, helmFor } from '../adapters/helm.ts';
import { type Kube, KubeError, connect, explainKube } from '../adapters/kube.ts';
import { type Kubectl, kubectlFor } from '../adapters/kubectl.ts';
import { type Charts, chartsFrom } from '../charts/source.ts';
import { EXIT, ObsError, usageError } from '../core/errors.ts';
import { PART_OF } from '../core/labels.ts';
import { JOURNAL, type Journal, readJournal } from '../engine/state/journal.ts';
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
  const namespace = options.namespace ?? (await homeOf(kube));
  return {
    kube,
    helm: helmFor(kube.context),
    kubectl: kubectlFor(kube.context, namespace),
    context: kube.context,
    namespace,
  };
}

/** With the charts that a configuration takes from elsewhere. */
export function withCharts<T extends Wires>(wires: T, config: Config): T & { charts: Charts } {
  return { ...wires, charts: chartsFrom(config.global.charts) };
}

/**
 * The namespace of the one installation of the cluster, so that nobody must remember it; the default when there is none, or one may not look.
 * @throws ObsError (usage) when there are several and none is in the default namespace
 */
async function homeOf(kube: Kube): Promise<string> {
  let journals: string[];
  try {
    const maps = await kube.list(
      'ConfigMap',
      undefined,
      `app.kubernetes.io/part-of=${PART_OF},app.kubernetes.io/name=${PART_OF}`,
    );
    journals = maps.flatMap(({ metadata }) =>
      metadata.name === JOURNAL && metadata.namespace ? [metadata.namespace] : [],
    );
  } catch (error) {
    if (error instanceof KubeError) return DEFAULT_NAMESPACE;
    throw error;
  }
  if (journals.length < 2 || journals.includes(DEFAULT_NAMESPACE))
    return journals.includes(DEFAULT_NAMESPACE) ? DEFAULT_NAMESPACE : (journals[0] ?? DEFAULT_NAMESPACE);
  throw usageError(
    `there are ${journals.length} installations in this cluster`,
    `choose one: --namespace ${journals.toSorted().join(' or ')}`,
  );
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

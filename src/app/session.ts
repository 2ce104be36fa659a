import { type Helm, helmFor } from '../adapters/helm.ts';
import { type Kube, KubeError, connect, explainKube } from '../adapters/kube.ts';
import { type Kubectl, kubectlFor } from '../adapters/kubectl.ts';
import { type Charts, chartsFrom } from '../charts/source.ts';
import { EXIT, ObsError, usageError } from '../core/errors.ts';
import { PART_OF } from '../core/labels.ts';
import { JOURNAL, type Journal, readJournal } from '../engine/state/journal.ts';
import type { Config } from '../profile/schema.ts';

export interface Session {
  kube: Kube;
  helm: Helm;
  kubectl: Kubectl;
  context: string;
  namespace: string;
}

export const DEFAULT_NAMESPACE = 'genai-observability';

/** Clients of one cluster, context and namespace; nothing else opens connections. @throws ObsError */
export async function openSession(options: {
  context?: string | undefined;
  namespace?: string | undefined;
}): Promise<Session> {
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

export function withCharts<T extends Session>(session: T, config: Config): T & { charts: Charts } {
  return { ...session, charts: chartsFrom(config.global.charts) };
}

/** Default without an installation or rights. @throws ObsError (usage) for several, none in the default namespace */
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

/** Journal and configuration of an existing installation. @throws ObsError without one */
export async function installed(session: Session): Promise<{ journal: Journal; config: Config }> {
  const journal = await journalOf(session);
  if (!journal) {
    throw new ObsError({
      what: 'genai-obs is not installed here',
      object: `namespace ${session.namespace}, context ${session.context}`,
      next: `genai-obs install${session.namespace === DEFAULT_NAMESPACE ? '' : ` --namespace ${session.namespace}`}`,
      exit: EXIT.failed,
    });
  }
  return { journal, config: journal.config };
}

export async function journalOf(session: Session): Promise<Journal | undefined> {
  try {
    return await readJournal(session.kube, session.namespace);
  } catch (error) {
    throw explainKube(error, session.kube, 'reading the journal');
  }
}

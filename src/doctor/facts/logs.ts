import { selects } from '../../checks/lib/objects.ts';
import { at, listAt, textAt } from '../../core/json.ts';
import { oneLine } from '../../core/text.ts';
import type { KubeObject } from '../../core/types.ts';
import { type Place, type PlacedId, placeOf, podLabelsOf } from '../../parts/catalog.ts';
import type { Collector, FactContext } from './context.ts';
import { scrubText } from './scrub.ts';

const LINES = 200;
const PODS = 6;

/** Last lines of each container of a component's pods; a DaemonSet on a large cluster is sampled. */
export const logs: Collector = async (component, context) => {
  const place = placeOf(context.config, component as PlacedId);
  const pods = (await podsOf(place, context)).slice(0, PODS);
  const entries = await Promise.all(
    pods.flatMap((pod) =>
      started(pod).map((container) => linesOf(pod.metadata.name, container, place.namespace, context)),
    ),
  );
  return Object.fromEntries(entries);
};

/** By the labels of our chart, or the selector of an upstream chart's workload; else by the workload's name. */
async function podsOf(place: Place, context: FactContext): Promise<KubeObject[]> {
  const { chart, namespace, workload } = place;
  const inNamespace = ({ metadata }: KubeObject) => metadata.namespace === namespace;
  const pods = (await context.objects('Pod')).filter(inNamespace);
  const live = chart === 'genai-obs' ? [] : (await context.objects(workload.kind)).filter(inNamespace);
  const owner = live.find(({ metadata }) => metadata.name === workload.name);
  const labels = chart === 'genai-obs' ? podLabelsOf(place) : at(owner, 'spec', 'selector', 'matchLabels');
  const selected = pods.filter((pod) => selects(labels, pod));
  return selected.length ? selected : pods.filter(({ metadata }) => metadata.name.startsWith(`${workload.name}-`));
}

/** Names of containers with a log; the API refuses the log of one that has not started. */
function started(pod: KubeObject): string[] {
  return listAt(pod, 'status', 'containerStatuses')
    .filter((one) => !at(one, 'state', 'waiting') || at(one, 'lastState', 'terminated'))
    .flatMap((one) => textAt(one, 'name') ?? []);
}

async function linesOf(
  pod: string,
  container: string,
  namespace: string,
  { kube }: FactContext,
): Promise<[string, string[]]> {
  const query = `container=${encodeURIComponent(container)}&tailLines=${LINES}&limitBytes=262144`;
  const { status, body } = await kube.request(
    'GET',
    `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(pod)}/log?${query}`,
    { timeout: 9_000 },
  );
  // The pod was deleted meanwhile; the logs of the others still count.
  if (status === 404) return [`${pod}/${container}`, []];
  if (status >= 300) throw new Error(`log of pod ${pod}: HTTP ${status} ${oneLine(body, 160)}`);
  return [
    `${pod}/${container}`,
    body
      .split('\n')
      .filter(Boolean)
      .map((line) => scrubText(line.slice(0, 600))),
  ];
}

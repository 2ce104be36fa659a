import { type Place, type PlacedId, placeOf } from '../../parts/catalog.ts';
import { at, listAt, textAt } from '../../core/json.ts';
import { oneLine } from '../../core/text.ts';
import type { KubeObject } from '../../core/types.ts';
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

/** By labels: those of our charts, or the selector of an upstream chart's workload. Else by the workload's name. */
async function podsOf({ id, chart, namespace, workload }: Place, context: FactContext): Promise<KubeObject[]> {
  const pods = (await context.objects('Pod')).filter(({ metadata }) => metadata.namespace === namespace);
  const wanted = chart === 'genai-obs' ? undefined : await selectorOf(workload, namespace, context);
  const labelled = pods.filter(({ metadata: { labels = {} } }) =>
    wanted
      ? Object.entries(wanted).every(([key, value]) => labels[key] === value)
      : chart === 'genai-obs' &&
        (labels['app.kubernetes.io/instance'] === id || labels['app.kubernetes.io/name'] === id),
  );
  return labelled.length ? labelled : pods.filter((pod) => pod.metadata.name.startsWith(`${workload.name}-`));
}

async function selectorOf(
  { kind, name }: Place['workload'],
  namespace: string,
  context: FactContext,
): Promise<Record<string, string> | undefined> {
  const live = (await context.objects(kind)).find(
    ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
  );
  return (live?.['spec'] as { selector?: { matchLabels?: Record<string, string> } } | undefined)?.selector?.matchLabels;
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

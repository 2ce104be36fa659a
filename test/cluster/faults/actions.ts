import { type KubeItem, eventually, get, kubectl, run } from '../support/cluster.ts';

/** Changes to a cluster that users and programs make. Each call returns when its effect is visible. */

interface PodStatus {
  phase: string;
  containerStatuses?: {
    ready: boolean;
    restartCount: number;
    state: { waiting?: { reason: string } };
    lastState: { terminated?: { reason: string } };
  }[];
}
export type Pod = KubeItem & { metadata: { uid: string; deletionTimestamp?: string }; status: PodStatus };

export async function pods(namespace: string, app: string): Promise<Pod[]> {
  const { items } = await get<{ items: Pod[] }>('pod', '-n', namespace, '-l', `app.kubernetes.io/name=${app}`);
  return items.filter(({ metadata }) => !metadata.deletionTimestamp);
}

/** Replaces the pods, as a node failure would. Does not wait for the new ones. */
export async function deletePods(namespace: string, app: string): Promise<void> {
  await kubectl([
    '-n',
    namespace,
    'delete',
    'pod',
    '-l',
    `app.kubernetes.io/name=${app}`,
    '--grace-period=1',
    '--wait=true',
  ]);
}

export const ready = (pod: Pod): boolean => pod.status.containerStatuses?.every((one) => one.ready) ?? false;

/** Waits until the pods of a component satisfy `met`; `what` names the condition. */
export async function untilPods(
  namespace: string,
  app: string,
  what: string,
  met: (list: Pod[]) => boolean,
): Promise<void> {
  await eventually(`${app}: ${what}`, async () => met(await pods(namespace, app)) || undefined, 120);
}

export const untilReady = (namespace: string, app: string): Promise<void> =>
  untilPods(namespace, app, 'ready', (list) => list.length > 0 && list.every(ready));

/** Waits for a container that exited at least once and is not ready. */
export const untilCrashed = (namespace: string, app: string): Promise<void> =>
  untilPods(namespace, app, 'crashed', (list) =>
    list.some((pod) =>
      pod.status.containerStatuses?.some(
        (one) => !one.ready && (one.restartCount > 0 || one.lastState.terminated !== undefined),
      ),
    ),
  );

/** Waits for a container with this waiting reason, for example ErrImagePull. */
export const untilWaiting = (namespace: string, app: string, reason: RegExp): Promise<void> =>
  untilPods(namespace, app, String(reason), (list) =>
    list.some((pod) => pod.status.containerStatuses?.some((one) => reason.test(one.state.waiting?.reason ?? ''))),
  );

export async function scale(namespace: string, workload: string, replicas: number): Promise<void> {
  await kubectl(['-n', namespace, 'scale', workload, `--replicas=${replicas}`]);
}

export const patch = (namespace: string, object: string, body: unknown, type = 'merge'): Promise<string> =>
  kubectl(['-n', namespace, 'patch', object, `--type=${type}`, '-p', JSON.stringify(body)]);

/** Replaces text in one key of a ConfigMap; throws if the text does not occur. */
export async function editMap(
  namespace: string,
  name: string,
  key: string,
  from: string | RegExp,
  to: string,
): Promise<void> {
  const { data } = await get<{ data: Record<string, string> }>('configmap', name, '-n', namespace);
  const before = data[key] ?? '';
  const after = before.replace(from, to);
  if (after === before) throw new Error(`ConfigMap ${name}, key ${key} does not contain ${String(from)}`);
  await patch(namespace, `configmap/${name}`, { data: { [key]: after } });
}

export async function create(...items: object[]): Promise<void> {
  await kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

export async function remove(namespace: string, ...what: string[]): Promise<void> {
  await kubectl(['-n', namespace, 'delete', ...what, '--wait=true']);
}

/** Like `remove`, for objects that may not exist. */
export async function removeIfThere(namespace: string, ...what: string[]): Promise<void> {
  await run('kubectl', ['-n', namespace, 'delete', ...what, '--ignore-not-found', '--wait=true']);
}

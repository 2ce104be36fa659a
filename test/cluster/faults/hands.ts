import { type KubeItem, eventually, get, kubectl, run } from '../support/cluster.ts';

/** What people and programs do to a cluster. Every call ends when its effect is there. */

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

/** Replaces the pods as a node failure would; they are not waited for. */
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

/** Waits until the pods of a component are as `met` wants them. */
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

/** It has ended at least once and is down. */
export const untilCrashed = (namespace: string, app: string): Promise<void> =>
  untilPods(namespace, app, 'crashed', (list) =>
    list.some((pod) =>
      pod.status.containerStatuses?.some(
        (one) => !one.ready && (one.restartCount > 0 || one.lastState.terminated !== undefined),
      ),
    ),
  );

/** Waits for this reason, for example ErrImagePull. */
export const untilWaiting = (namespace: string, app: string, reason: RegExp): Promise<void> =>
  untilPods(namespace, app, String(reason), (list) =>
    list.some((pod) => pod.status.containerStatuses?.some((one) => reason.test(one.state.waiting?.reason ?? ''))),
  );

export async function scale(namespace: string, workload: string, replicas: number): Promise<void> {
  await kubectl(['-n', namespace, 'scale', workload, `--replicas=${replicas}`]);
}

export const patch = (namespace: string, object: string, body: unknown, type = 'merge'): Promise<string> =>
  kubectl(['-n', namespace, 'patch', object, `--type=${type}`, '-p', JSON.stringify(body)]);

/** Edits the text of one key of a ConfigMap; what was to be replaced must be there. */
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
  if (after === before) throw new Error(`ConfigMap ${name}, key ${key}: there is no ${String(from)}`);
  await patch(namespace, `configmap/${name}`, { data: { [key]: after } });
}

export async function create(...items: object[]): Promise<void> {
  await kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

export async function remove(namespace: string, ...what: string[]): Promise<void> {
  await kubectl(['-n', namespace, 'delete', ...what, '--wait=true']);
}

/** For what may be gone already. */
export async function removeIfThere(namespace: string, ...what: string[]): Promise<void> {
  await run('kubectl', ['-n', namespace, 'delete', ...what, '--ignore-not-found', '--wait=true']);
}

import { describe, expect, it } from 'vitest';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { isReady, readiness } from '../../src/engine/steps/readiness.ts';
import { NS, fakeCluster } from './support/cluster.ts';

const LOKI = { kind: 'StatefulSet' as const, name: 'loki', namespace: NS };
const workload = (status: JsonMap, kind = 'StatefulSet', generation = 1): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'loki', namespace: NS, generation },
    spec: { replicas: 1, selector: { matchLabels: { app: 'loki' } } },
    status,
  }) as KubeObject;

function pod(status: JsonMap, name = 'loki-0', metadata: JsonMap = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NS, labels: { app: 'loki' }, ...metadata },
    status,
  };
}

const container = (state: JsonMap, more: JsonMap = {}): JsonMap => ({
  phase: 'Pending',
  containerStatuses: [
    { name: 'loki', image: 'docker.io/grafana/loki:3.7.6', ready: false, restartCount: 0, state, ...more },
  ],
});
const waiting = (reason: string, message = ''): JsonMap => container({ waiting: { reason, message } });

async function readinessWith(...objects: KubeObject[]) {
  const cluster = fakeCluster();
  for (const object of [workload({ observedGeneration: 1, replicas: 1 }), ...objects]) cluster.put(object);
  return readiness(cluster.kube, LOKI);
}

describe('isReady', () => {
  const full: JsonMap = { observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1 };
  it.each<[string, JsonMap, boolean]>([
    ['a workload with every replica ready and updated is ready', full, true],
    ['a workload with the status of the previous generation is not ready', { ...full, observedGeneration: 0 }, false],
    ['a workload without a ready pod is not ready', { ...full, readyReplicas: 0 }, false],
    ['a workload with a ready pod of the old revision is not ready', { ...full, updatedReplicas: 0 }, false],
    ['a workload with an old pod beside the new one is not ready', { ...full, replicas: 2, readyReplicas: 2 }, false],
    ['a workload without a status is not ready', {}, false],
  ])('%s', (_name, status, ready) => {
    expect(isReady(workload(status)).ready).toBe(ready);
    expect(isReady(workload(status, 'Deployment')).ready).toBe(ready);
  });

  it.each<[string, JsonMap, boolean]>([
    [
      'ready on every node is ready',
      { observedGeneration: 1, desiredNumberScheduled: 3, numberReady: 3, updatedNumberScheduled: 3 },
      true,
    ],
    [
      'ready on two of three nodes is not ready',
      { observedGeneration: 1, desiredNumberScheduled: 3, numberReady: 2, updatedNumberScheduled: 3 },
      false,
    ],
    [
      'with one outdated pod is not ready',
      { observedGeneration: 1, desiredNumberScheduled: 3, numberReady: 3, updatedNumberScheduled: 2 },
      false,
    ],
    [
      'without any node is not ready',
      { observedGeneration: 1, desiredNumberScheduled: 0, numberReady: 0, updatedNumberScheduled: 0 },
      false,
    ],
  ])('a DaemonSet %s', (_name, status, ready) => {
    expect(isReady(workload(status, 'DaemonSet')).ready).toBe(ready);
  });
});

describe('why a workload is not ready', () => {
  it.each<[string, JsonMap, string, string | undefined]>([
    [
      'it cannot be scheduled',
      {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', message: '0/1 nodes are available: 1 Insufficient memory.' },
        ],
      },
      'loki-0 waits for a node: 0/1 nodes are available: 1 Insufficient memory.',
      'loki-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory.',
    ],
    [
      'it was just scheduled',
      { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }] },
      'loki-0 is being created',
      undefined,
    ],
    [
      'it waits for volumes and image',
      waiting('ContainerCreating'),
      'loki-0 is being created (volumes, image)',
      undefined,
    ],
    ['an init container runs', waiting('PodInitializing'), 'loki-0 is being created (volumes, image)', undefined],
    [
      'the image pull failed',
      waiting('ErrImagePull', 'not found'),
      'loki-0 cannot pull docker.io/grafana/loki:3.7.6',
      'the image docker.io/grafana/loki:3.7.6 of loki-0 cannot be pulled: not found',
    ],
    [
      'the image pull backs off',
      waiting('ImagePullBackOff', 'Back-off'),
      'loki-0 cannot pull docker.io/grafana/loki:3.7.6',
      'the image docker.io/grafana/loki:3.7.6 of loki-0 cannot be pulled: Back-off',
    ],
    [
      'the image name is invalid',
      waiting('InvalidImageName'),
      'loki-0 cannot pull docker.io/grafana/loki:3.7.6',
      'the image docker.io/grafana/loki:3.7.6 of loki-0 cannot be pulled: ',
    ],
    [
      'its configuration is missing',
      waiting('CreateContainerConfigError', 'configmap "x"\n not found'),
      'loki-0: configmap "x" not found',
      'loki-0 cannot be started: configmap "x" not found',
    ],
    [
      'the container runtime fails',
      waiting('RunContainerError', 'exec: no such file'),
      'loki-0: exec: no such file',
      'loki-0 cannot be started: exec: no such file',
    ],
    [
      'it is in a crash loop',
      container(
        { waiting: { reason: 'CrashLoopBackOff' } },
        { restartCount: 4, lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } } },
      ),
      'loki-0 crashes (4 restarts, OOMKilled)',
      'loki-0 exits repeatedly: OOMKilled exit code 137 ',
    ],
    [
      'it runs between two crashes',
      container({ running: {} }, { restartCount: 2, lastState: { terminated: { reason: 'Error', exitCode: 1 } } }),
      'loki-0 crashes (2 restarts, Error)',
      'loki-0 exits repeatedly: Error exit code 1 ',
    ],
    [
      'it has restarted once',
      container({ running: {} }, { restartCount: 1, lastState: { terminated: { reason: 'Error', exitCode: 1 } } }),
      'loki-0 is running but not ready yet',
      undefined,
    ],
    [
      'its container has just ended',
      container({ terminated: { reason: 'Error', exitCode: 2 } }),
      'loki-0 ended (Error, exit code 2) and is being restarted',
      undefined,
    ],
    ['it runs but is not ready', container({ running: {} }), 'loki-0 is running but not ready yet', undefined],
    ['the reason is unknown', waiting('SomethingNew'), 'loki-0 SomethingNew', undefined],
    [
      'it was evicted',
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      'loki-0 has ended: Evicted: low on memory',
      undefined,
    ],
  ])('explains the state of a pod: %s', async (_name, status, detail, stuck) => {
    const now = await readinessWith(pod(status));
    expect(now).toEqual({ ready: false, detail: `0 of 1 ready: ${detail}`, ...(stuck === undefined ? {} : { stuck }) });
  });

  it('reports the replacement of an evicted pod, not the evicted pod', async () => {
    const now = await readinessWith(
      pod({ phase: 'Failed', reason: 'Evicted' }, 'loki-old'),
      pod(waiting('ErrImagePull', 'no')),
    );
    expect(now.detail).toBe('0 of 1 ready: loki-0 cannot pull docker.io/grafana/loki:3.7.6');
  });

  it('ignores a pod that is being deleted', async () => {
    expect(
      (await readinessWith(pod(waiting('ErrImagePull'), 'loki-0', { deletionTimestamp: '2026-01-01T00:00:00Z' })))
        .detail,
    ).toBe('0 of 1 ready');
  });

  it('reports why a controller cannot create pods', async () => {
    const event = (name: string, message: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: NS },
      involvedObject: { name: 'loki' },
      message,
    });
    expect(await readinessWith(event('e', 'pods "loki-0" is forbidden: exceeded quota'))).toEqual({
      ready: false,
      detail: 'no pod: pods "loki-0" is forbidden: exceeded quota',
      stuck: 'pods "loki-0" is forbidden: exceeded quota',
    });
    expect(await readinessWith()).toEqual({ ready: false, detail: '0 of 1 ready' });
  });

  it('shortens a message to one line', async () => {
    expect(
      (await readinessWith(pod(waiting('CreateContainerError', `a\n${'x'.repeat(1000)}`)))).stuck?.length,
    ).toBeLessThan(340);
  });

  it('reports a workload that does not exist, and one that is ready', async () => {
    expect(await readiness(fakeCluster().kube, LOKI)).toEqual({
      ready: false,
      detail: 'StatefulSet loki does not exist',
    });
    expect(
      await readinessWith(workload({ observedGeneration: 1, replicas: 1, readyReplicas: 1, updatedReplicas: 1 })),
    ).toEqual({
      ready: true,
      detail: '1 of 1 ready',
    });
  });
});

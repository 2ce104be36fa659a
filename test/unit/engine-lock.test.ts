import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KubeError } from '../../src/adapters/kube.ts';
import type { ObsError } from '../../src/core/errors.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { LEASE, type Lock, takeLock } from '../../src/engine/state/lock.ts';
import { type FakeCluster, NS, fakeCluster } from './support/cluster.ts';

beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') }));
afterEach(() => void vi.useRealTimers());

const ALIVE = 'ann@other-host pid=1 install 0a1b2c3d';
const micro = (ms = Date.now()): string => new Date(ms).toISOString().replace('Z', '000Z');

function held(cluster: FakeCluster, holderIdentity: string, renewTime = micro()): KubeObject {
  return cluster.put({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: LEASE, namespace: NS },
    spec: { holderIdentity, leaseDurationSeconds: 20, renewTime },
  });
}

const spec = (cluster: FakeCluster): { holderIdentity: string; renewTime: string } =>
  cluster.get('Lease', LEASE)?.['spec'] as { holderIdentity: string; renewTime: string };

/** Takes the lock while the fake clock advances; `seconds` is how long it took. */
async function take(
  cluster: FakeCluster,
  during: () => void = () => {},
): Promise<{ lock?: Lock; error?: ObsError; seconds: number }> {
  const start = Date.now();
  const outcome: { lock?: Lock; error?: ObsError; seconds?: number } = {};
  const taking = takeLock(cluster.kube, NS, 'install').then(
    (lock) => Object.assign(outcome, { lock, seconds: (Date.now() - start) / 1000 }),
    (error: ObsError) => Object.assign(outcome, { error, seconds: (Date.now() - start) / 1000 }),
  );
  for (let i = 0; i < 40 && outcome.seconds === undefined; i++) {
    await vi.advanceTimersByTimeAsync(1_000);
    if (outcome.seconds === undefined) during();
  }
  await taking;
  return outcome as { lock?: Lock; error?: ObsError; seconds: number };
}

describe('the lock', () => {
  it('names its holder, has our label, and is deleted on release', async () => {
    const cluster = fakeCluster();
    const { lock } = await take(cluster);
    expect(spec(cluster).holderIdentity).toMatch(new RegExp(`@${hostname()} pid=${process.pid} install [0-9a-f]{8}$`));
    expect(cluster.get('Lease', LEASE)?.metadata.labels).toMatchObject({ 'app.kubernetes.io/part-of': 'genai-obs' });
    await lock?.release();
    expect(cluster.get('Lease', LEASE)).toBeUndefined();
  });

  it('is renewed while it is held, and not after its release', async () => {
    const cluster = fakeCluster();
    const { lock } = await take(cluster);
    const first = spec(cluster).renewTime;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(Date.parse(spec(cluster).renewTime)).toBeGreaterThan(Date.parse(first));
    await lock?.release();
    const calls = cluster.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(cluster.calls.length).toBe(calls);
  });

  it('is refused to a second run, which names the holder', async () => {
    const cluster = fakeCluster();
    const one = await take(cluster);
    const renewal = (): void => {};
    const two = await take(cluster, renewal);
    expect(one.lock).toBeDefined();
    expect(two.error?.parts).toMatchObject({
      what: 'another genai-obs works on this installation',
      object: `Lease ${NS}/${LEASE}`,
      cause: `held by ${spec(cluster).holderIdentity}`,
    });
    // The holder renews every 5 s, so 7 s are enough to see that it is alive.
    expect(two.seconds).toBeLessThanOrEqual(7);
    await one.lock?.release();
  });

  it('goes to exactly one of two runs that start at the same moment', async () => {
    const cluster = fakeCluster();
    const both = [takeLock(cluster.kube, NS, 'install'), takeLock(cluster.kube, NS, 'uninstall')].map((taking) =>
      taking.then(
        (lock) => ({ lock }),
        (error: ObsError) => ({ error }),
      ),
    );
    await vi.advanceTimersByTimeAsync(30_000);
    const outcomes = await Promise.all(both);
    expect(outcomes.filter((outcome) => 'lock' in outcome)).toHaveLength(1);
    expect(outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error.parts.what] : []))).toEqual([
      'another genai-obs works on this installation',
    ]);
    for (const outcome of outcomes) if ('lock' in outcome) await outcome.lock.release();
  });

  it('goes to exactly one of two runs that take over the same expired Lease', async () => {
    const cluster = fakeCluster();
    held(cluster, ALIVE, micro(Date.now() - 3_600_000));
    const both = [takeLock(cluster.kube, NS, 'install'), takeLock(cluster.kube, NS, 'install')].map((taking) =>
      taking.then(
        (lock) => lock,
        () => undefined,
      ),
    );
    await vi.advanceTimersByTimeAsync(40_000);
    const locks = (await Promise.all(both)).filter((lock) => lock !== undefined);
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
  });
});

describe('a dead holder', () => {
  it('is replaced once its renewTime has not changed for the duration of the Lease', async () => {
    const cluster = fakeCluster();
    held(cluster, ALIVE);
    const { lock, seconds } = await take(cluster);
    expect(lock).toBeDefined();
    expect(seconds).toBeGreaterThan(20);
    expect(seconds).toBeLessThan(25);
    expect(spec(cluster).holderIdentity).toContain(`pid=${process.pid}`);
    await lock?.release();
  });

  it('is replaced at once when its process on this machine has ended', async () => {
    const cluster = fakeCluster();
    // The largest pid of Linux is 4194304.
    held(cluster, `ann@${hostname()} pid=4194305 install 0a1b2c3d`);
    const { lock, seconds } = await take(cluster);
    expect(lock).toBeDefined();
    expect(seconds).toBeLessThanOrEqual(1);
    await lock?.release();
  });

  it('a holder on another machine counts as alive, even when this machine has no such pid', async () => {
    const cluster = fakeCluster();
    held(cluster, 'ann@other-host pid=4194305 install 0a1b2c3d');
    const { error } = await take(cluster, () => void held(cluster, 'ann@other-host pid=4194305 install 0a1b2c3d'));
    expect(error?.parts.cause).toBe('held by ann@other-host pid=4194305 install 0a1b2c3d');
  });

  it('is replaced at once when its renewTime is a day old', async () => {
    const cluster = fakeCluster();
    held(cluster, ALIVE, micro(Date.now() - 86_400_000));
    const { lock, seconds } = await take(cluster);
    expect(lock).toBeDefined();
    expect(seconds).toBeLessThanOrEqual(1);
    await lock?.release();
  });
});

describe('clock skew', () => {
  it.each([-120_000, 120_000])('of %d ms does not matter: a holder whose renewTime changes is alive', async (skew) => {
    const cluster = fakeCluster();
    held(cluster, ALIVE, micro(Date.now() + skew));
    const { error, lock } = await take(cluster, () => void held(cluster, ALIVE, micro(Date.now() + skew)));
    expect(lock).toBeUndefined();
    expect(error?.parts.cause).toBe(`held by ${ALIVE}`);
  });
});

describe('lock failures', () => {
  it('a lost lock is neither renewed nor deleted by its former holder', async () => {
    const cluster = fakeCluster();
    const { lock } = await take(cluster);
    held(cluster, ALIVE);
    const before = cluster.get('Lease', LEASE);
    await vi.advanceTimersByTimeAsync(11_000);
    await lock?.release();
    expect(cluster.get('Lease', LEASE)).toEqual(before);
  });

  it('a lock survives a short outage of the API server', async () => {
    const cluster = fakeCluster();
    const { lock } = await take(cluster);
    cluster.before = () => {
      throw new KubeError(0, 'Unreachable', 'connection refused');
    };
    await vi.advanceTimersByTimeAsync(11_000);
    cluster.before = () => {};
    const first = spec(cluster).renewTime;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(spec(cluster).renewTime).not.toBe(first);
    await lock?.release();
  });

  it('a forbidden Lease is reported as an API error, not as a held lock', async () => {
    const cluster = fakeCluster();
    cluster.before = (operation) => {
      if (operation.startsWith('create Lease')) throw new KubeError(403, 'Forbidden', 'leases is forbidden');
    };
    await expect(takeLock(cluster.kube, NS, 'install')).rejects.toThrow('leases is forbidden');
  });
});

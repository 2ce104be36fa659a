import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Kube, KubeError } from '../../adapters/kube.ts';
import { ObsError } from '../../core/errors.ts';
import { ownLabels } from '../../core/labels.ts';
import type { KubeObject, ObjectRef } from '../../core/types.ts';
import { whoami } from './journal.ts';

export const LEASE = 'genai-obs';
const SECONDS = 20;
/** Milliseconds after which a lease is taken over without waiting, however wrong the clocks are. */
const EXPIRED = 600_000;

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  renewTime?: string;
}

export interface Lock {
  release(): Promise<void>;
}

const refIn = (namespace: string): ObjectRef => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace,
  name: LEASE,
});

/** `user@host pid=1 command id`: names the holder, and lets us check whether its process still runs here. */
const identity = (command: string): string => `${whoami()} pid=${process.pid} ${command} ${randomUUID().slice(0, 8)}`;

/** The holder ran on this host and its process has ended: no need to wait. */
function hasDiedHere(holder: string): boolean {
  const match = /@(\S+) pid=(\d+)/.exec(holder);
  if (!match || match[1] !== hostname()) return false;
  try {
    process.kill(Number(match[2]), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/**
 * Takes the Lease of the installation and renews it until `release`. A lease whose holder was killed is taken over when
 * it expires.
 * `onLost`: somebody else took it over, for example while this machine slept; then nothing more may be changed.
 * @throws ObsError naming the holder when another command works on the installation
 */
export async function takeLock(
  kube: Kube,
  namespace: string,
  command: string,
  report: (text: string) => void = () => {},
  onLost: (error: ObsError) => void = () => {},
): Promise<Lock> {
  const me = identity(command);
  const deadline = Date.now() + (SECONDS + 5) * 1000;
  // Clocks differ between machines: a holder is alive when its renewTime changes, whatever the time is.
  let seen: { renewTime: string; at: number } | undefined;
  for (;;) {
    const taken = await tryTake(kube, namespace, me);
    if (taken === true) break;
    const { holder, renewTime, fresh } = taken;
    if (!seen) seen = { renewTime, at: Date.now() };
    else if (seen.renewTime !== renewTime) throw held(namespace, holder);
    if (hasDiedHere(holder) || !fresh || Date.now() - seen.at > SECONDS * 1000) {
      if ((await tryTake(kube, namespace, me, renewTime)) === true) break;
    }
    if (Date.now() > deadline) throw held(namespace, holder);
    report(`waiting for ${holder}: taking over if it does not renew its lease within ${SECONDS} s`);
    await sleep(1_000);
  }
  const check = async (): Promise<void> => {
    const other = await renew(kube, namespace, me);
    if (other === undefined) return;
    clearInterval(timer);
    onLost(held(namespace, other));
  };
  const timer = setInterval(() => void check(), (SECONDS / 4) * 1000);
  timer.unref();
  return {
    async release() {
      clearInterval(timer);
      const live = await kube.read(refIn(namespace)).catch(() => undefined);
      if (live && (live['spec'] as LeaseSpec).holderIdentity === me)
        await kube.remove(refIn(namespace)).catch(() => false);
    },
  };
}

function held(namespace: string, holder: string): ObsError {
  return new ObsError({
    what: 'another genai-obs works on this installation',
    object: `Lease ${namespace}/${LEASE}`,
    cause: `held by ${holder}`,
    next: 'wait until it ends, then run the command again',
  });
}

type Held = { holder: string; renewTime: string; fresh: boolean };

async function tryTake(kube: Kube, namespace: string, me: string, overRenewTime?: string): Promise<true | Held> {
  const now = new Date().toISOString().replace('Z', '000Z');
  const spec: LeaseSpec & { acquireTime: string } = {
    holderIdentity: me,
    leaseDurationSeconds: SECONDS,
    acquireTime: now,
    renewTime: now,
  };
  const object: KubeObject = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: LEASE, namespace, labels: ownLabels('genai-obs') },
    spec,
  };
  const live = await kube.read(refIn(namespace));
  try {
    if (!live) {
      await kube.create(object);
      return true;
    }
    const { holderIdentity = '', renewTime = '' } = live['spec'] as LeaseSpec;
    const age = Date.now() - Date.parse(renewTime);
    if (holderIdentity && overRenewTime !== renewTime)
      return { holder: holderIdentity, renewTime, fresh: !(age > EXPIRED) };
    // resourceVersion: of two concurrent takeovers one wins.
    await kube.replace({
      ...object,
      metadata: { ...object.metadata, resourceVersion: live.metadata.resourceVersion ?? '' },
    });
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.status === 409)
      return { holder: 'another genai-obs', renewTime: '', fresh: true };
    throw error;
  }
}

/** Returns the new holder when the lease is no longer ours. */
async function renew(kube: Kube, namespace: string, me: string): Promise<string | undefined> {
  try {
    const live = await kube.read(refIn(namespace));
    const spec = live?.['spec'] as LeaseSpec | undefined;
    if (!live || spec?.holderIdentity !== me) return spec?.holderIdentity ?? 'nobody: the lease was deleted';
    await kube.replace({ ...live, spec: { ...spec, renewTime: new Date().toISOString().replace('Z', '000Z') } });
  } catch {
    // The next renewal follows in seconds; the lease survives three missed ones.
  }
  return undefined;
}

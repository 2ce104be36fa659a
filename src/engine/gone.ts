import { ObsError } from '../core/errors.ts';
import { sleep } from '../core/sleep.ts';
import type { KubeObject, ObjectRef } from '../core/types.ts';
import { refOf, refText } from '../core/types.ts';
import type { Hands } from './apply.ts';

type Waiting = Pick<Hands, 'kube' | 'timeout' | 'signal'>;

/** Waits until objects are not there any more. @throws ObsError naming those that stay, and their finalizers */
export async function gone(refs: ObjectRef[], hands: Waiting, command: string): Promise<void> {
  await until(hands, command, async () =>
    (await Promise.all(refs.map((ref) => hands.kube.read(ref)))).filter((object) => object !== undefined),
  );
}

/** Waits until `leftovers` finds nothing. @throws ObsError naming what it still finds, and the finalizers; `command` is what carries on */
export async function until(
  { timeout, signal }: Waiting,
  command: string,
  leftovers: () => Promise<KubeObject[]>,
): Promise<void> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const all = await leftovers();
    const [stuck] = all;
    if (!stuck) return;
    const named = all.slice(0, 5).map((o) => refText(refOf(o)));
    const cause = stuck.metadata.finalizers?.length
      ? `finalizers: ${stuck.metadata.finalizers.join(', ')}`
      : 'the cluster has not finished deleting them';
    const error = { object: named.join(', '), cause, next: `wait a little, then run ${command} again: it carries on` };
    if (signal.aborted) throw new ObsError({ what: 'stopped while waiting', ...error, exit: 130 });
    if (Date.now() > deadline)
      throw new ObsError({
        what: `${all.length} objects are still there after ${Math.round(timeout / 1000)} s`,
        ...error,
      });
    await sleep(500);
  }
}

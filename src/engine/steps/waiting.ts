import { setTimeout as sleep } from 'node:timers/promises';
import { ObsError } from '../../core/errors.ts';
import { type KubeObject, type ObjectRef, refOf, refText } from '../../core/types.ts';
import type { ApplyContext } from './types.ts';

export type Waiting = Pick<ApplyContext, 'kube' | 'timeout' | 'signal'>;

/** Waits until the objects are deleted. @throws ObsError naming those that remain, and their finalizers */
export async function waitDeleted(refs: ObjectRef[], context: Waiting, command: string): Promise<void> {
  await waitUntilNone(context, command, async () =>
    (await Promise.all(refs.map((ref) => context.kube.read(ref)))).filter((object) => object !== undefined),
  );
}

/** Waits until `remaining` finds nothing. @throws ObsError with what remains and `command` to run again */
export async function waitUntilNone(
  { timeout, signal }: Waiting,
  command: string,
  remaining: () => Promise<KubeObject[]>,
): Promise<void> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const all = await remaining();
    const [first] = all;
    if (!first) return;
    const names = all.slice(0, 5).map((object) => refText(refOf(object)));
    const cause = first.metadata.finalizers?.length
      ? `finalizers: ${first.metadata.finalizers.join(', ')}`
      : 'the cluster has not finished deleting them';
    const error = { object: names.join(', '), cause, next: `wait a minute, then run ${command} again: it resumes` };
    if (signal.aborted) throw new ObsError({ what: 'stopped while waiting', ...error, exit: 130 });
    if (Date.now() > deadline)
      throw new ObsError({
        what: `${all.length} objects still exist after ${Math.round(timeout / 1000)} s`,
        ...error,
      });
    await sleep(500);
  }
}

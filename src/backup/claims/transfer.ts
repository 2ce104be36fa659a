import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pRetry from 'p-retry';
import { type PodRef, type Running, failed } from '../../adapters/podExec.ts';
import { messageOf } from '../../core/errors.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { meter } from '../archive/writer.ts';
import { type BackupContext, type Context, checkpoint } from '../types.ts';
import { receiving, sending, sumIn } from './scripts.ts';

/** A stream and the transforms that it passes through. */
export type Source = [Readable, ...Transform[]];

const UPLOADS = 3;

/** `complete` is false when tar could not read single files. @throws ObsError when the connection lost data */
export async function download(
  ctx: BackupContext,
  pod: PodRef,
  component: ComponentId,
  folder: string,
  path: string,
): Promise<{ complete: boolean }> {
  const run = ctx.exec.start(pod, sending(folder), false);
  return killedBy(ctx, run, async () => {
    // Waits for both, so that nothing writes to the file when the caller deletes it after an error.
    const [written, ended] = await Promise.allSettled([ctx.out.gzip(path, component, run.stdout), run.done]);
    checkpoint(ctx);
    if (ended.status === 'rejected') throw ended.reason;
    if (written.status === 'rejected') throw written.reason;
    const { stderr, code } = ended.value;
    // kubectl exec can lose the end of a stream without an error, so the pod sends a checksum.
    const sum = sumIn(stderr);
    if (sum !== written.value.sha256)
      throw failed(pod, sum ? 'the connection lost data' : stderr || `exit code ${code}`);
    return { complete: code === 0 };
  });
}

/** Feeds a stream to a script in a pod; repeats it when the connection lost data. @throws ObsError */
export async function upload(ctx: Context, pod: PodRef, source: () => Source, script: string): Promise<void> {
  const lost = failed(pod, `the connection lost data ${UPLOADS} times`);
  const attempt = async (): Promise<void> => {
    const { sent, received, stderr, code } = await uploadOnce(ctx, pod, source(), script);
    if (received === sent && code === 0) return;
    if (received === sent || (!received && code !== 0))
      throw failed(pod, stderr.replace(/^sum .*\n/m, '') || `exit code ${code}`);
    throw lost;
  };
  await pRetry(attempt, {
    retries: UPLOADS - 1,
    minTimeout: 0,
    shouldRetry: ({ error }) => error === lost,
    onFailedAttempt: ({ error, retriesLeft }) => {
      if (error === lost && retriesLeft > 0)
        ctx.report(`the connection to Pod ${pod.namespace}/${pod.name} lost data: sending it again`);
    },
  });
}

async function uploadOnce(
  ctx: Context,
  pod: PodRef,
  source: Source,
  script: string,
): Promise<{ sent: string; received: string | undefined; stderr: string; code: number | null }> {
  const tap = meter();
  const run = ctx.exec.start(pod, receiving(script), true);
  return killedBy(ctx, run, async () => {
    run.stdout.resume();
    const piped = pipeline([...source, tap.stream, run.stdin]).then(
      () => undefined,
      (error: unknown) => error,
    );
    const { stderr, code } = await run.done;
    checkpoint(ctx);
    const broken = await piped;
    if (code === 0 && broken) throw failed(pod, messageOf(broken));
    return { sent: tap.sha256(), received: sumIn(stderr), stderr, code };
  });
}

/** Ctrl-C kills the script in the pod. */
async function killedBy<T>(ctx: Context, run: Running, use: () => Promise<T>): Promise<T> {
  ctx.signal.addEventListener('abort', run.kill, { once: true });
  try {
    return await use();
  } finally {
    ctx.signal.removeEventListener('abort', run.kill);
    run.kill();
  }
}

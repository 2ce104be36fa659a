import { spawn } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { ObsError } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { exec, lastLines } from './exec.ts';

/** A script that runs in a pod. `done` rejects when kubectl does not start. */
export interface Running {
  stdin: Writable;
  stdout: Readable;
  done: Promise<{ stderr: string; code: number | null }>;
  kill: () => void;
}

export interface PodExec {
  /** Runs a short script to its end; returns its stdout. @throws ObsError */
  text: (pod: PodRef, script: string) => Promise<string>;
  /** Streams: nothing is held in memory. */
  start: (pod: PodRef, script: string, stdin: boolean) => Running;
}

export interface PodRef {
  namespace: string;
  name: string;
}

/** Scripts by `kubectl exec`. They are visible in argv, so they must not hold secrets. */
export function podExecFor(context: string, file = process.env['GENAI_OBS_KUBECTL'] ?? 'kubectl'): PodExec {
  const args = ({ namespace, name }: PodRef, script: string, stdin: boolean): string[] => [
    '--context',
    context,
    '--namespace',
    namespace,
    'exec',
    ...(stdin ? ['-i'] : []),
    name,
    '--',
    'sh',
    '-c',
    script,
  ];
  return {
    async text(pod, script) {
      const result = await exec(file, args(pod, script, false), { timeout: 1_800_000 });
      if (!result.ok) throw failed(pod, result.stderr);
      return result.stdout;
    },
    start(pod, script, stdin) {
      // Its own process group: Ctrl-C in the terminal must not reach the copy.
      const child = spawn(file, args(pod, script, stdin), { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr = `${stderr}${chunk.toString()}`.slice(-8192)));
      // A broken pipe only follows from the exit code and stderr, which `done` reports.
      child.stdin.on('error', () => {});
      if (!stdin) child.stdin.end();
      const kill = (): void => void child.kill('SIGKILL');
      process.once('exit', kill);
      const done = new Promise<{ stderr: string; code: number | null }>((resolve, reject) => {
        child.once('error', (error) => reject(failed(pod, error.message)));
        child.once(
          'close',
          (code) => (process.removeListener('exit', kill), resolve({ stderr: redact(stderr), code })),
        );
      });
      done.catch(() => {});
      return { stdin: child.stdin, stdout: child.stdout, done, kill };
    },
  };
}

export function failed({ namespace, name }: PodRef, stderr: string): ObsError {
  return new ObsError({
    what: 'a step in the helper pod failed',
    object: `Pod ${namespace}/${name}`,
    cause: lastLines(stderr) || 'no message',
    next: 'run the same command again',
  });
}

import { spawn } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { exec } from './exec.ts';
import { lastLines } from './kubectl.ts';
import { ObsError } from '../core/errors.ts';
import { redact } from '../core/redact.ts';

/** A script that runs in a pod. `done` rejects when it fails or when the connection breaks. */
export interface Running {
  stdin: Writable;
  stdout: Readable;
  /** What it wrote on stderr, and its exit code. */
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

/** Scripts by `kubectl exec`; they are in argv, so nothing secret may be in them. */
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
      // A process group of its own: Ctrl-C in the terminal must reach us first, not the copy.
      const child = spawn(file, args(pod, script, stdin), { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr = `${stderr}${chunk.toString()}`.slice(-8192)));
      // The cause is the exit code and stderr, not the broken pipe that follows.
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

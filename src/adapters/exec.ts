import { randomUUID } from 'node:crypto';
import { type ReadStream, createReadStream, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';

export interface ExecOptions {
  /** For stdin: values and secrets never go to argv. */
  input?: string;
  /** Milliseconds; default 120 000. */
  timeout?: number;
  /** Kills the command. Without it the command finishes after Ctrl-C. */
  signal?: AbortSignal | undefined;
  env?: Record<string, string>;
}

export interface ExecResult {
  ok: boolean;
  code: number | undefined;
  stdout: string;
  /** Redacted. */
  stderr: string;
  timedOut: boolean;
  /** The signal that ended it, for example SIGKILL by the OOM killer. */
  signal?: string;
}

/** The reason for a failure without stderr. */
export const howItEnded = ({ code, signal, timedOut }: ExecResult): string =>
  timedOut ? 'it timed out' : signal ? `it was ended by ${signal}` : `it exited with code ${code}`;

/**
 * Runs a program to its end; a non-zero exit is a result, not an error. The child has its own process group:
 * Ctrl-C in the terminal must not interrupt helm (https://github.com/helm/helm/issues/10599).
 * @throws ObsError when the program is not installed
 */
export async function exec(file: string, args: string[], options: ExecOptions = {}): Promise<ExecResult> {
  const stdin = options.input === undefined ? undefined : unlinkedFile(options.input);
  const result = await execa(file, args, {
    reject: false,
    detached: true,
    cleanup: true,
    stripFinalNewline: true,
    timeout: options.timeout ?? 120_000,
    forceKillAfterDelay: 5_000,
    maxBuffer: 64 * 1024 * 1024,
    stdin: stdin ?? 'ignore',
    ...(options.signal ? { cancelSignal: options.signal } : {}),
    ...(options.env ? { env: options.env } : {}),
  }).finally(() => stdin?.destroy());
  if (result.failed && result.code === 'ENOENT') {
    throw new ObsError({
      what: `${file} is not installed or not on the PATH`,
      next: file.includes('helm')
        ? 'install Helm 3.12 or newer: https://helm.sh/docs/intro/install/'
        : `install ${file} and run the command again`,
    });
  }
  return {
    ok: !result.failed,
    code: result.exitCode,
    stdout: typeof result.stdout === 'string' ? result.stdout : '',
    stderr: redact(typeof result.stderr === 'string' ? result.stderr : messageOf(result)),
    timedOut: result.timedOut,
    ...(result.signal ? { signal: result.signal } : {}),
  };
}

/** Leaves nothing on disk after SIGKILL; a pipe that breaks off half-written could look complete to helm. */
function unlinkedFile(text: string): ReadStream {
  const path = join(tmpdir(), `genai-obs-${randomUUID()}`);
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
    return createReadStream('', { fd: openSync(path, 'r') });
  } finally {
    rmSync(path, { force: true });
  }
}

/** The end of a program's stderr, which holds the reason of a failure. */
export const lastLines = (text: string, lines = 3): string =>
  text.trim().split('\n').filter(Boolean).slice(-lines).join(' / ');

import { execa } from 'execa';
import { ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';

export interface ExecOptions {
  /** Sent on stdin: the way for manifests and secrets, never argv. */
  input?: string;
  /** Milliseconds; default 120 000. */
  timeout?: number;
  /** Kills the command; without it the command is left to finish on Ctrl-C. */
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
  /** Set when a signal ended it, for example SIGKILL by the kernel that needed the memory. */
  signal?: string;
}

/** Why a program failed that said nothing. */
export function howItEnded({ code, signal, timedOut }: ExecResult): string {
  return timedOut ? 'it did not end in time' : signal ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
}

/**
 * Runs a program to its end; never throws for a non-zero exit. Children get a process group of their own:
 * Ctrl-C in the terminal must not cut helm off half-way (helm#10599), the engine decides what to stop.
 * @throws ObsError when the program is not installed.
 */
export async function exec(file: string, args: string[], options: ExecOptions = {}): Promise<ExecResult> {
  const result = await execa(file, args, {
    reject: false,
    detached: true,
    cleanup: true,
    stripFinalNewline: true,
    timeout: options.timeout ?? 120_000,
    forceKillAfterDelay: 5_000,
    maxBuffer: 64 * 1024 * 1024,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    ...(options.signal ? { cancelSignal: options.signal } : {}),
    ...(options.env ? { env: options.env } : {}),
  });
  if (result.failed && result.code === 'ENOENT') {
    throw new ObsError({
      what: `${file} is not installed or not on the PATH`,
      next: file.includes('helm') ? 'install Helm 3.12 or newer: https://helm.sh/docs/intro/install/' : `install ${file} and run the command again`,
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

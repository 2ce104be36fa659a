import { randomUUID } from 'node:crypto';
import { type ReadStream, createReadStream, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';

export interface ExecOptions {
  /** On stdin: the way for values and secrets, never argv. It is whole from the start, even for a program that outlives us. */
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
  const stdin = options.input === undefined ? undefined : nameless(options.input);
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

/** A private file without a name: nothing is left of it, whoever is killed. A pipe would break off with us, and what it holds look whole. */
function nameless(text: string): ReadStream {
  const path = join(tmpdir(), `genai-obs-${randomUUID()}`);
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
    return createReadStream('', { fd: openSync(path, 'r') });
  } finally {
    rmSync(path, { force: true });
  }
}

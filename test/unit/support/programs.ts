import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Path of a program of the test bed; undefined if it is not built. */
export function bedProgram(name: string): string | undefined {
  const path = join(homedir(), '.cache', 'genai-obs-bed', 'bin', name);
  return existsSync(path) ? path : undefined;
}

export interface Running {
  /** Its stderr so far. */
  said: () => string;
  stop: (signal?: NodeJS.Signals) => Promise<void>;
}

const children = new Set<ChildProcess>();

export function start(file: string, args: string[]): Running {
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    said: () => text,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
      children.delete(child);
    },
  };
}

/** Kills programs that a failed test did not stop. */
export function stopAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** Polls `probe` until its result is not undefined. @throws Error with `about()` on timeout; errors of `probe` */
export async function until<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  about: () => string,
  seconds = 30,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`timed out after ${seconds} s: ${about()}`);
    await sleep(200);
  }
}

/** Writes a folder of shell scripts for the PATH: name → body. */
export function stubsIn(dir: string, programs: Record<string, string>): string {
  mkdirSync(dir, { recursive: true });
  for (const [name, body] of Object.entries(programs))
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return dir;
}

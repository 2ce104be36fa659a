import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A program that the test bed has built; undefined where it has not. */
export function bedProgram(name: string): string | undefined {
  const path = join(homedir(), '.cache', 'genai-obs-bed', 'bin', name);
  return existsSync(path) ? path : undefined;
}

export interface Running {
  /** What it has said on stderr. */
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

/** Ends what a failed test has left. */
export function stopAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Asks again until the answer is not undefined. @throws Error with `about()` when time is up */
export async function until<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  about: () => string,
  seconds = 30,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${about()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** A folder of programs for the PATH: name → body of a shell script. */
export function stubsIn(dir: string, programs: Record<string, string>): string {
  mkdirSync(dir, { recursive: true });
  for (const [name, body] of Object.entries(programs))
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return dir;
}

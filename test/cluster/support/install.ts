import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, type Run, endsWithTest, eventually, get } from './cluster.ts';

export interface Event {
  type: string;
  id?: string;
  result?: string;
}

export interface Install {
  child: ChildProcess;
  /** With --json: what it has told so far. */
  events: Event[];
  event: (wanted: (event: Event) => boolean) => Promise<void>;
  said: (text: string) => Promise<void>;
  ended: Promise<Run>;
}

/** An installation that runs while the test does something to it. */
export function startInstall(args: string[], env: NodeJS.ProcessEnv = {}): Install {
  const start = Date.now();
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endsWithTest(child);
  const events: Event[] = [];
  const watchers = new Set<() => void>();
  let stdout = '';
  let stderr = '';
  let read = 0;
  const look = (): void => watchers.forEach((watcher) => watcher());
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (let end = stdout.indexOf('\n', read); end >= 0; end = stdout.indexOf('\n', read)) {
      const line = stdout.slice(read, end);
      read = end + 1;
      if (line.startsWith('{')) events.push(JSON.parse(line) as Event);
    }
    look();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    look();
  });
  const ended = new Promise<Run>((resolve) =>
    child.once('close', (code) => resolve({ code, stdout, stderr, ms: Date.now() - start })),
  );
  const until = (what: string, met: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const watcher = (): void => {
        if (!met()) return;
        watchers.delete(watcher);
        resolve();
      };
      watchers.add(watcher);
      void ended.then(({ code }) =>
        reject(new Error(`it ended with ${code} before ${what}\n${stderr}\n${stdout.slice(-2000)}`)),
      );
      watcher();
    });
  return {
    child,
    events,
    ended,
    event: (wanted) => until('the event', () => events.some(wanted)),
    said: (text) => until(`it said "${text}"`, () => stderr.includes(text) || stdout.includes(text)),
  };
}

/** Ids of the steps that a `--json` run has applied. */
export function appliedBy({ stdout }: Pick<Run, 'stdout'>): string[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Event)
    .filter(({ type, result }) => type === 'done' && result === 'applied')
    .map(({ id }) => id ?? '');
}

/** Releases that helm calls pending: `name status`. */
export async function pending(namespace: string): Promise<string[]> {
  const { items } = await get('secret', '-n', namespace, '-l', 'owner=helm');
  return items.flatMap(({ metadata }) =>
    /pending|uninstalling/.test(metadata.labels?.['status'] ?? '')
      ? [`${metadata.labels?.['name']} ${metadata.labels?.['status']}`]
      : [],
  );
}

export interface Brake {
  /** Path of a helm that waits before it changes anything. */
  helm: string;
  /** A call has come. */
  reached: () => Promise<void>;
  release: () => void;
}

/** A helm that stops at `upgrade` until it is released: the middle of an installation, for as long as a test needs it. */
export function brake(): Brake {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-brake-'));
  const helm = join(dir, 'helm');
  const real = process.env['GENAI_OBS_HELM'] ?? 'helm';
  writeFileSync(
    helm,
    `#!/bin/sh\nif [ "$1" = upgrade ]; then touch ${dir}/reached; while [ -d ${dir} ] && [ ! -e ${dir}/go ]; do sleep 0.1; done; fi\nexec ${real} "$@"\n`,
  );
  chmodSync(helm, 0o755);
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return {
    helm,
    async reached() {
      await eventually('helm is called', () => Promise.resolve(existsSync(join(dir, 'reached')) || undefined));
    },
    release: () => void spawnSync('touch', [join(dir, 'go')]),
  };
}

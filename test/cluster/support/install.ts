import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, type Run, stopOnInterrupt, eventually, get } from './cluster.ts';

export interface Event {
  type: string;
  id?: string;
  result?: string;
}

export interface Install {
  child: ChildProcess;
  /** The events so far; needs --json. */
  events: Event[];
  event: (wanted: (event: Event) => boolean) => Promise<void>;
  said: (text: string) => Promise<void>;
  ended: Promise<Run>;
}

/** Starts the command in the background, so that the test can disturb it. */
export function startInstall(args: string[], env: NodeJS.ProcessEnv = {}): Install {
  const start = Date.now();
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  stopOnInterrupt(child);
  const events: Event[] = [];
  const watchers = new Set<() => void>();
  let stdout = '';
  let stderr = '';
  let read = 0;
  const notify = (): void => watchers.forEach((watcher) => watcher());
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (let end = stdout.indexOf('\n', read); end >= 0; end = stdout.indexOf('\n', read)) {
      const line = stdout.slice(read, end);
      read = end + 1;
      if (line.startsWith('{')) events.push(JSON.parse(line) as Event);
    }
    notify();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    notify();
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
        reject(new Error(`the command exited with ${code} before ${what}\n${stderr}\n${stdout.slice(-2000)}`)),
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

/** IDs of the steps that a `--json` run applied. */
export function appliedBy({ stdout }: Pick<Run, 'stdout'>): string[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Event)
    .filter(({ type, result }) => type === 'done' && result === 'applied')
    .map(({ id }) => id ?? '');
}

/** Releases whose status is pending or uninstalling: `name status`. */
export async function pending(namespace: string): Promise<string[]> {
  const { items } = await get('secret', '-n', namespace, '-l', 'owner=helm');
  return items.flatMap(({ metadata }) =>
    /pending|uninstalling/.test(metadata.labels?.['status'] ?? '')
      ? [`${metadata.labels?.['name']} ${metadata.labels?.['status']}`]
      : [],
  );
}

export interface PausingHelm {
  /** Path of the helm that waits before it changes anything. */
  helm: string;
  /** Resolves when the first upgrade is waiting. */
  reached: () => Promise<void>;
  release: () => void;
}

/** A helm whose `upgrade` waits until released, which holds an installation half-way for as long as a test needs. */
export function pausingHelm(): PausingHelm {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-helm-'));
  const helm = join(dir, 'helm');
  const real = process.env['GENAI_OBS_HELM'] ?? 'helm';
  writeFileSync(
    helm,
    `#!/bin/sh
if [ "$1" = upgrade ]; then
  touch ${dir}/reached
  while [ -d ${dir} ] && [ ! -e ${dir}/go ]; do sleep 0.1; done
fi
exec ${real} "$@"
`,
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

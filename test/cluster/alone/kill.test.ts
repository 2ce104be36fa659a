import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliOk, eventually, footprint, get, normalised, onInterrupt, revisions } from '../support/cluster.ts';
import { type Install, appliedBy, pending, startInstall } from '../support/install.ts';

/** Each round uses a new namespace, so that the previous one can be deleted meanwhile. */
const PREFIX = 'it-kill';
const installArgs = (namespace: string, ...more: string[]): string[] => [
  'install',
  '--namespace',
  namespace,
  '--yes',
  '--json',
  ...more,
];

/** `whole` has the defaults. `lean` has no volumes, because the pods that create and delete them take half the time. */
const SHAPES = { whole: [], lean: ['--no-persistence', '--gateway-replicas', '1'] };
type Shape = keyof typeof SHAPES;

/** Starts to delete an installation without waiting. Kills its pods, whose data is not needed. */
function discard(namespace: string): void {
  const kube = (...args: string[]): void => void spawnSync('kubectl', args, { stdio: 'ignore' });
  kube('delete', 'namespace', namespace, '--ignore-not-found', '--wait=false');
  kube('-n', namespace, 'delete', 'pod', '--all', '--grace-period=0', '--force', '--wait=false');
  for (const kind of ['clusterrole', 'clusterrolebinding']) {
    const names = spawnSync('kubectl', ['get', kind, '-l', 'app.kubernetes.io/part-of=genai-obs', '-o', 'name'])
      .stdout.toString()
      .split('\n');
    const own = names.filter((name) => name.includes(`/${namespace}-`));
    if (own.length) kube('delete', '--wait=false', ...own);
  }
}

async function leftovers(): Promise<string[]> {
  const { items } = await get('namespace');
  return items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(PREFIX));
}

async function allDeleted(): Promise<void> {
  await eventually(
    'the namespaces of the kill test are deleted',
    async () => ((await leftovers()).length ? undefined : true),
    240,
  );
  await eventually('their volumes are deleted', async () => ((await footprint(PREFIX)).length ? undefined : true), 120);
}

/** Also kills helm and kubectl, which run in their own process groups, as a power failure would. */
function killTree(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const children = readdirSync('/proc').filter((id) => /^\d+$/.test(id) && parentOf(id) === pid);
  for (const child of children) spawnSync('kill', ['-9', child]);
  process.kill(pid, 'SIGKILL');
}

function parentOf(pid: string): number {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return 0;
  }
}

/** Runs two rounds at a time, because they mostly wait for pods. After a failure it starts no further round. */
async function inPairs<T>(jobs: T[], round: (job: T) => Promise<void>): Promise<void> {
  const limit = pLimit({ concurrency: 2, rejectOnClear: true });
  const stop = (error: unknown): never => {
    limit.clearQueue();
    throw error;
  };
  const ended = await Promise.allSettled(jobs.map((job) => limit(() => round(job).catch(stop))));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

const killAlone = ({ child }: Install): void => void child.kill('SIGKILL');
const killAll = ({ child }: Install): void => killTree(child.pid ?? 0);
const doneOf = ({ events }: Install): string[] =>
  events.filter(({ type, result }) => type === 'done' && result !== 'skipped').map(({ id }) => id ?? '');

describe('install resumes after SIGKILL', () => {
  const undisturbed: Partial<Record<Shape, { objects: Record<string, unknown>; steps: string[]; ms: number }>> = {};
  let rounds = 0;
  const used: string[] = [];
  const redone: number[] = [];

  /** The name of a new namespace. */
  const fresh = (): string => {
    const namespace = `${PREFIX}-${rounds++}`;
    used.push(namespace);
    return namespace;
  };
  /** Objects without the namespace's name, which the rules contain and which changes their checksum. */
  const objects = async (namespace: string): Promise<Record<string, unknown>> => {
    const text = JSON.stringify(await normalised(namespace)).replaceAll(namespace, 'NS');
    return JSON.parse(text.replaceAll(/("checksum\/prometheus-rules":)"\w+"/g, '$1"(of the rules)"')) as Record<
      string,
      unknown
    >;
  };

  beforeAll(async () => {
    onInterrupt(() => used.forEach(discard));
    for (const namespace of await leftovers()) discard(namespace);
    await allDeleted();
    for (const shape of ['whole', 'lean'] as const) {
      const namespace = fresh();
      const install = startInstall(installArgs(namespace, '--skip', 'verify', ...SHAPES[shape]));
      const { code, stderr, ms } = await install.ended;
      if (code !== 0) throw new Error(stderr);
      undisturbed[shape] = { objects: await objects(namespace), steps: doneOf(install), ms };
      discard(namespace);
    }
  });
  /** The uninterrupted installation to compare with. */
  const model = (shape: Shape): { objects: Record<string, unknown>; steps: string[]; ms: number } => {
    const found = undisturbed[shape];
    if (!found) throw new Error(`no ${shape} installation to compare with`);
    return found;
  };

  afterAll(async () => {
    for (const namespace of await leftovers()) discard(namespace);
    await allDeleted();
    const average = redone.reduce((a, b) => a + b, 0) / redone.length;
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    process.stderr.write(
      `  ${redone.length} kills; uninterrupted install: ${seconds(model('whole').ms)}, ` +
        `without volumes: ${seconds(model('lean').ms)}; second install: ${seconds(average)} on average\n`,
    );
  });

  /** Kills an install, runs it again, and expects that it completes without repeating a finished step. */
  async function survives(
    when: string,
    shape: Shape,
    strike: (install: Install) => Promise<void>,
    phases = ['--skip', 'verify'],
  ): Promise<{ done: string[]; applied: string[] }> {
    const namespace = fresh();
    const args = installArgs(namespace, ...phases, ...SHAPES[shape]);
    const install = startInstall(args);
    await strike(install);
    await install.ended;
    const done = doneOf(install);
    const before = await revisions(namespace);
    const again = await cliOk(args);
    redone.push(again.ms);
    const applied = appliedBy(again);
    const state = `${when}, after ${done.join(', ') || 'nothing'}`;
    expect(
      applied.filter((id) => done.includes(id)),
      `repeated ${state}`,
    ).toEqual([]);
    const after = await revisions(namespace);
    for (const id of done.filter((step) => step.startsWith('release/')))
      expect(after[id.slice(8)], `${id} has a new revision ${state}`).toBe(before[id.slice(8)]);
    expect(await pending(namespace), state).toEqual([]);
    expect(await objects(namespace), state).toEqual(model(shape).objects);
    discard(namespace);
    return { done, applied };
  }

  async function boundaries(shape: Shape, wanted: number[]): Promise<void> {
    const late: number[] = [];
    await inPairs(wanted, async (boundary) => {
      const { done } = await survives(`killed at boundary ${boundary}, ${shape}`, shape, async (install) => {
        await install.event(() => doneOf(install).length >= boundary);
        killAlone(install);
      });
      if (done.length >= model(shape).steps.length) late.push(boundary);
    });
    // The last releases are often ready at the same time, so a few kills may come too late.
    expect(late.length, `killed after the last step: boundaries ${late.join(', ')}`).toBeLessThanOrEqual(
      wanted.length / 3,
    );
  }

  it('at every step boundary', { timeout: 1_200_000 }, async () => {
    const { steps } = model('lean');
    expect(steps.length).toBeGreaterThan(13);
    await boundaries(
      'lean',
      steps.slice(1).map((_step, i) => i + 1),
    );
  });

  it('before, during and after the creation of volumes', { timeout: 600_000 }, async () => {
    const isClaim = (id: string): boolean => id.startsWith('claim/');
    const { steps } = model('whole');
    const claims = steps.filter(isClaim).length;
    expect(claims).toBe(5);
    const first = steps.findIndex(isClaim);
    await boundaries('whole', [first, first + 2, steps.findLastIndex(isClaim) + 1]);
  });

  it('at ten random moments, half of them with helm and kubectl', { timeout: 900_000 }, async () => {
    await inPairs([...Array(10).keys()], async (i) => {
      const [shape, kill] = i % 2 ? (['whole', killAll] as const) : (['lean', killAlone] as const);
      const at = Math.round(200 + Math.random() * model(shape).ms * 0.95);
      const when = `killed after ${at} ms${i % 2 ? ' with its helm and kubectl' : ''}`;
      await survives(when, shape, async (install) => {
        await Promise.race([sleep(at), install.ended]);
        if (install.child.exitCode === null) kill(install);
      });
    });
  });

  it('during the verification, which alone is repeated', { timeout: 600_000 }, async () => {
    const { applied } = await survives(
      'killed during the verification',
      'whole',
      async (install) => {
        await install.event(({ type, id }) => type === 'progress' && id === 'verify');
        killAll(install);
      },
      [],
    );
    expect(applied).toEqual(['verify']);
  });

  it('the journal records every finished step, and uninstall removes a partial installation', async () => {
    const namespace = fresh();
    const install = startInstall(installArgs(namespace, '--skip', 'verify'));
    await install.event(({ type, id }) => type === 'done' && id === 'release/kube-state-metrics');
    killAlone(install);
    await install.ended;
    const { data } = await get<{ data: Record<string, string> }>('configmap', 'genai-obs-journal', '-n', namespace);
    const { steps: records } = JSON.parse(data['journal.json'] ?? '{}') as {
      steps: Record<string, { state: string; by: string }>;
    };
    for (const id of doneOf(install).filter((step) => step !== 'preflight'))
      expect(records[id]?.state, id).toBe('done');

    await cliOk(['uninstall', '--namespace', namespace, '--delete-data', '--yes']);
    expect(await footprint(namespace)).toEqual([]);
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliOk, eventually, footprint, get, normalised, onInterrupt, revisions } from '../support/cluster.ts';
import { type Install, appliedBy, pending, startInstall } from '../support/install.ts';

/** Every round starts in an empty namespace of its own; the one before goes away meanwhile. */
const PREFIX = 'it-kill';
const installArgs = (namespace: string, ...more: string[]): string[] => [
  'install',
  '--namespace',
  namespace,
  '--yes',
  '--json',
  ...more,
];

/** As users have it; and without what costs the bed most, the pods that make and remove each volume: half of a round's time. */
const SHAPES = { whole: [], lean: ['--no-persistence', '--gateway-replicas', '1'] };
type Shape = keyof typeof SHAPES;

/** Asks for the removal of an installation and does not wait. Pods get no time to say goodbye: nobody needs their data. */
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

async function allGone(): Promise<void> {
  await eventually(
    'the namespaces of the kill test are gone',
    async () => ((await leftovers()).length ? undefined : true),
    240,
  );
  await eventually('their volumes are gone', async () => ((await footprint(PREFIX)).length ? undefined : true), 120);
}

/** As the machine loses power: helm and kubectl, which run in groups of their own, die too. */
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

/** Two rounds at a time, each in its own namespace: they mostly wait for pods. The first failure ends both. */
async function inPairs<T>(jobs: T[], round: (job: T) => Promise<void>): Promise<void> {
  const left = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) {
      try {
        await round(job);
      } catch (error) {
        left.length = 0;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled([work(), work()]);
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

const killAlone = ({ child }: Install): void => void child.kill('SIGKILL');
const killAll = ({ child }: Install): void => killTree(child.pid ?? 0);
const doneOf = ({ events }: Install): string[] =>
  events.filter(({ type, result }) => type === 'done' && result !== 'skipped').map(({ id }) => id ?? '');

describe('an installation killed with SIGKILL carries on', () => {
  const undisturbed: Partial<Record<Shape, { objects: Record<string, unknown>; steps: string[]; ms: number }>> = {};
  let rounds = 0;
  const used: string[] = [];
  const redone: number[] = [];

  /** An empty namespace for one round. */
  const fresh = (): string => {
    const namespace = `${PREFIX}-${rounds++}`;
    used.push(namespace);
    return namespace;
  };
  /** As if all namespaces had the same name; the rules name theirs, and with it their checksum differs. */
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
    await allGone();
    for (const shape of ['whole', 'lean'] as const) {
      const namespace = fresh();
      const install = startInstall(installArgs(namespace, '--skip', 'verify', ...SHAPES[shape]));
      const { code, stderr, ms } = await install.ended;
      if (code !== 0) throw new Error(stderr);
      undisturbed[shape] = { objects: await objects(namespace), steps: doneOf(install), ms };
      discard(namespace);
    }
  });
  /** The installation that nothing disturbed. */
  const model = (shape: Shape): { objects: Record<string, unknown>; steps: string[]; ms: number } => {
    const found = undisturbed[shape];
    if (!found) throw new Error(`no ${shape} installation to compare with`);
    return found;
  };

  afterAll(async () => {
    for (const namespace of await leftovers()) discard(namespace);
    await allGone();
    const average = redone.reduce((a, b) => a + b, 0) / redone.length;
    process.stderr.write(
      `  ${redone.length} kills; an undisturbed installation took ${(model('whole').ms / 1000).toFixed(1)} s, without volumes ${(model('lean').ms / 1000).toFixed(1)} s, the re-runs ${(average / 1000).toFixed(1)} s on average\n`,
    );
  });

  /** One re-run makes it whole, and what was done is not done again. */
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
      `done again ${state}`,
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
    // The last releases are often ready in the same instant, and then nothing is left to interrupt; a few kills may come too late, not all of them.
    expect(late.length, `killed when all was done: boundaries ${late.join(', ')}`).toBeLessThanOrEqual(
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

  it('before, amid and after the volumes', { timeout: 600_000 }, async () => {
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
        await Promise.race([new Promise((resolve) => setTimeout(resolve, at)), install.ended]);
        if (install.child.exitCode === null) kill(install);
      });
    });
  });

  it('during the verification: it is owed, and nothing else', { timeout: 600_000 }, async () => {
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

  it('the journal tells of every step', async () => {
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
    // Whoever has had enough removes the half of it.
    await cliOk(['uninstall', '--namespace', namespace, '--delete-data', '--yes']);
    expect(await footprint(namespace)).toEqual([]);
  });
});

import type { Finding } from '../../src/checks/lib/check.ts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gates } from '../../src/commands/gates.ts';
import { install } from '../../src/commands/install.ts';
import { plan } from '../../src/commands/plan.ts';
import { status } from '../../src/commands/status.ts';
import { runUninstall } from '../../src/commands/uninstall.ts';
import type { Session } from '../../src/app/session.ts';
import { LEASE } from '../../src/engine/state/lock.ts';
import type { GateStep } from '../../src/engine/steps/gate.ts';
import { type FakeCluster, NS, fakeCluster } from './support/cluster.ts';
import { quickstart } from './support/config.ts';

interface World {
  cluster?: unknown;
  /** Findings of each run of the doctor; the last list repeats. */
  findings: unknown[][];
  asked: string[];
}
const { world } = vi.hoisted<{ world: World }>(() => ({ world: { findings: [], asked: [] } }));

vi.mock('../../src/app/session.ts', async (original) => ({
  ...(await original<typeof import('../../src/app/session.ts')>()),
  openSession: (options: { namespace?: string }) => Promise.resolve(sessionOf(options.namespace)),
}));
vi.mock('../../src/doctor/stage.ts', () => ({
  runStage: (_session: unknown, _config: unknown, stage: string, options: { probe?: boolean }) => {
    world.asked.push(`${stage}${options.probe ? ' with probe' : ''}`);
    return Promise.resolve(world.findings.length > 1 ? world.findings.shift() : (world.findings[0] ?? []));
  },
}));

function sessionOf(namespace = NS): Session {
  const { kube, helm, kubectl } = world.cluster as FakeCluster;
  return { kube, helm, kubectl, context: 'fake', namespace };
}

const finding = (id: string, how: Finding['status'], more: Partial<Finding> = {}): Finding => ({
  id,
  title: `title of ${id}`,
  area: 'PRE',
  status: how,
  evidence: `evidence of ${id}`,
  docs: '',
  ...more,
});

let out: { stdout: string; stderr: string };
beforeEach(() => {
  world.cluster = fakeCluster();
  world.findings = [];
  world.asked = [];
  out = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      out[stream] += String(chunk);
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const cluster = (): FakeCluster => world.cluster as FakeCluster;
const forget = (): void => void (out = Object.assign(out, { stdout: '', stderr: '' }));
const TIMEOUT = { timeout: '5' };

describe('install, plan, status, uninstall', () => {
  it('install, plan, status and uninstall from an empty cluster to an empty cluster', async () => {
    expect(await plan({ exitCode: true })).toBe(3);
    expect(out.stdout).toMatch(/\d\d to create, 0 to change, 0 to delete/);
    expect(cluster().calls).toEqual([]);
    await expect(status({})).rejects.toMatchObject({
      parts: { what: 'genai-obs is not installed here', next: 'genai-obs install' },
    });

    expect(await install({ ...TIMEOUT, yes: true })).toBe(0);
    expect(world.asked).toEqual(['preflight', 'stack with probe']);
    expect(out.stderr).toContain('Done in');
    expect(out.stderr).toContain('genai-obs uninstall');
    expect(cluster().get('Lease', LEASE), 'the lock is released').toBeUndefined();

    forget();
    expect(await plan({ exitCode: true })).toBe(0);
    expect(out.stdout).toContain('Nothing to do');
    expect(await status({})).toBe(0);
    expect(out.stdout).toMatch(/verification done at \d{4}/);

    forget();
    const before = cluster().all('Secret').length;
    expect(await install({ ...TIMEOUT, yes: true })).toBe(0);
    expect(out.stderr).toContain('Nothing to do');
    expect(cluster().all('Secret'), 'no new helm revision').toHaveLength(before);

    forget();
    expect(await runUninstall({ ...TIMEOUT, dryRun: true, deleteData: true })).toBe(0);
    expect(out.stderr).toContain(`release ${NS}/loki`);
    expect(cluster().get('StatefulSet', 'loki')).toBeDefined();
    expect(await runUninstall({ ...TIMEOUT, yes: true, deleteData: true })).toBe(0);
    expect(cluster().get('Namespace', NS)).toBeUndefined();
    forget();
    expect(await runUninstall({ ...TIMEOUT, yes: true, deleteData: true })).toBe(0);
    expect(out.stderr).toContain(`Nothing to remove: namespace ${NS} has no objects of genai-obs`);
  });

  it('a second install without flags keeps the configuration of the first', async () => {
    await install({ ...TIMEOUT, yes: true, budget: '7', disable: ['tempo'] });
    forget();
    expect(await plan({ exitCode: true })).toBe(0);
    expect(await install({ ...TIMEOUT, yes: true })).toBe(0);
    expect(out.stderr).toContain('Nothing to do');
    expect(await plan({ exitCode: true, budget: '8' })).toBe(3);
  });

  it('status lists drifted steps, with exit code 3', async () => {
    await install({ ...TIMEOUT, yes: true });
    cluster().put({ ...cluster().get('ConfigMap', 'loki')!, data: {} });
    forget();
    expect(await status({ json: true })).toBe(3);
    const { steps } = JSON.parse(out.stdout) as { steps: { id: string; state: string }[] };
    expect(steps.filter((step) => step.state !== 'done')).toMatchObject([{ id: 'release/loki', state: 'drifted' }]);
  });

  it('install --json prints one event per line, with the result at the end', async () => {
    await install({ ...TIMEOUT, yes: true, json: true });
    const lines = out.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; applied?: string[] });
    expect(lines[0]?.type).toBe('plan');
    expect(lines.at(-1)).toMatchObject({ type: 'result', unchanged: ['preflight', 'removal/releases'] });
    expect(lines.at(-1)?.applied).toContain('release/loki');
  });

  it('without a terminal, install and uninstall need --yes before they change anything', async () => {
    await expect(install(TIMEOUT)).rejects.toMatchObject({
      exit: 2,
      parts: { next: expect.stringContaining('--yes') as string },
    });
    expect(cluster().calls).toEqual([]);
    await install({ ...TIMEOUT, yes: true });
    const calls = cluster().calls.length;
    await expect(runUninstall(TIMEOUT)).rejects.toMatchObject({
      exit: 2,
      parts: { next: expect.stringContaining('--yes') as string },
    });
    expect(cluster().calls).toHaveLength(calls);
  });

  it('a failed preflight changes nothing, and names the fix', async () => {
    world.findings = [[finding('PRE-05', 'fail', { fix: 'kubectl create storageclass', cause: 'no default class' })]];
    await expect(install({ ...TIMEOUT, yes: true })).rejects.toMatchObject({
      exit: 1,
      parts: {
        what: expect.stringContaining('PRE-05') as string,
        cause: 'no default class',
        next: 'kubectl create storageclass',
      },
    });
    expect(cluster().calls).toEqual([]);
    expect(await install({ ...TIMEOUT, yes: true, skip: ['preflight', 'verify'] })).toBe(0);
  });

  it('a lock held by somebody else blocks uninstall', async () => {
    await install({ ...TIMEOUT, yes: true });
    cluster().put({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: LEASE, namespace: NS },
      spec: { holderIdentity: 'ann@other pid=1 install x', renewTime: new Date().toISOString() },
    });
    const renewing = setInterval(
      () =>
        cluster().put({
          ...cluster().get('Lease', LEASE)!,
          spec: { holderIdentity: 'ann@other pid=1 install x', renewTime: new Date().toISOString() },
        }),
      300,
    );
    const calls = cluster().calls.length;
    await expect(runUninstall({ ...TIMEOUT, yes: true })).rejects.toMatchObject({
      parts: { cause: 'held by ann@other pid=1 install x' },
    });
    clearInterval(renewing);
    expect(cluster().calls).toHaveLength(calls);
    expect(cluster().get('Lease', LEASE), 'it is not ours to remove').toBeDefined();
  });
});

describe('the gates', () => {
  const gate = (
    which: GateStep['gate'],
    signal = new AbortController().signal,
  ): { result: Promise<string>; reports: string[] } => {
    const reports: string[] = [];
    const step: GateStep = { kind: 'gate', gate: which, id: which, phase: which, title: which, needs: [] };
    const result = gates(sessionOf(), quickstart(), signal)(step, (detail) => reports.push(detail));
    result.catch(() => {});
    return { result, reports };
  };

  it('preflight: checks that could not run are reported and do not block, except for the tools', async () => {
    world.findings = [[finding('PRE-09', 'unknown'), finding('PRE-10', 'warn'), finding('PRE-03', 'ok')]];
    expect(await gate('preflight').result).toBe(
      '1 check ok; PRE-09 evidence of PRE-09; PRE-10 warns: evidence of PRE-10',
    );
    world.findings = [[finding('PRE-02', 'unknown')]];
    await expect(gate('preflight').result).rejects.toMatchObject({
      parts: { what: expect.stringContaining('PRE-02') as string, next: 'helm version' },
    });
  });

  it('verify: repeats the checks until all pass', async () => {
    vi.useFakeTimers();
    world.findings = [
      [finding('COL-01', 'fail', { area: 'COL' })],
      [finding('COL-01', 'unknown', { area: 'COL' })],
      [finding('COL-01', 'ok', { area: 'COL' })],
    ];
    const { result, reports } = gate('verify');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await result).toBe('1 check ok');
    expect(world.asked).toHaveLength(3);
    expect(reports.filter((detail) => detail.startsWith('waiting for 1 check to settle: COL-01'))).toHaveLength(2);
  });

  it('verify: sends no second probe after one has passed', async () => {
    vi.useFakeTimers();
    world.findings = [
      [finding('E2E-01', 'ok', { area: 'E2E' }), finding('COL-01', 'fail', { area: 'COL' })],
      [finding('COL-01', 'ok', { area: 'COL' })],
    ];
    const { result } = gate('verify');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await result).toBe('2 checks ok');
    expect(world.asked).toEqual(['stack with probe', 'stack']);
  });

  it('verify: gives up after the settle time, or at once when stopped', async () => {
    vi.useFakeTimers();
    world.findings = [
      [
        finding('COL-01', 'fail', { area: 'COL', object: 'Deployment n/x' }),
        finding('COL-02', 'fail', { area: 'COL' }),
      ],
    ];
    const { result } = gate('verify');
    await vi.advanceTimersByTimeAsync(120_000);
    await expect(result).rejects.toMatchObject({
      exit: 1,
      parts: {
        what: expect.stringContaining('(and 1 more: COL-02)') as string,
        object: 'Deployment n/x',
        next: 'genai-obs doctor --probe',
      },
    });
    const controller = new AbortController();
    controller.abort();
    await expect(gate('verify', controller.signal).result).rejects.toMatchObject({ exit: 130 });
  });
});

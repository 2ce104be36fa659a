import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Run, cli, cliOk, eventually, get, kubectl, uninstallOnInterrupt, removeAll } from './support/cluster.ts';
import { appliedBy, pausingHelm, pending, startInstall } from './support/install.ts';
import { errorOf, expectNoCrash } from './support/refusal.ts';

const NS = 'it-race';
const INSTALL = ['install', '--namespace', NS, '--yes', '--skip', 'verify'];
/** Creates only the namespace and the lock, for tests that do not need the stack. */
const LOCK_ONLY = ['install', '--namespace', NS, '--yes', '--only', 'namespaces'];
/** Two small releases, one with a claim. */
const SMALL = [
  ...INSTALL,
  '--disable',
  'prometheus,loki,tempo,grafana,opentelemetry-collector,opentelemetry-node-collector,opentelemetry-cluster-collector',
];

beforeAll(async () => {
  uninstallOnInterrupt(NS);
  await removeAll(NS);
});
afterEach(() => removeAll(NS));
afterAll(() => removeAll(NS));

/** Waits until both releases wait for the pausing helm, and the journal does not change any more. */
async function settledJournal(): Promise<unknown> {
  let last = '';
  return eventually('the journal does not change', async () => {
    const map = await get<{ data: Record<string, string> }>('configmap', 'genai-obs-journal', '-n', NS);
    const { steps } = JSON.parse(map.data['journal.json'] ?? '{}') as { steps: Record<string, { state: string }> };
    const running = Object.keys(steps).filter((id) => steps[id]?.state === 'running');
    const before = last;
    last = JSON.stringify(map);
    return running.length === 2 && running.every((id) => id.startsWith('release/')) && last === before
      ? map
      : undefined;
  });
}

describe('two installations at once', () => {
  it('the second one names the holder of the lock and changes nothing', async () => {
    // The first one holds the lock until its pausing helm is released.
    const slow = pausingHelm();
    const first = startInstall(SMALL, { GENAI_OBS_HELM: slow.helm });
    await slow.reached();
    const journal = await settledJournal();
    const second = await cli(SMALL);
    expect(second.code, second.stderr).toBe(1);
    expectNoCrash(second);
    const { what, on, cause, next } = errorOf(second);
    expect(what).toBe('another genai-obs works on this installation');
    expect(on).toBe(`Lease ${NS}/genai-obs`);
    expect(cause).toMatch(new RegExp(`^held by \\S+@\\S+ pid=${first.child.pid} install `));
    expect(next).toContain('wait until it ends');
    expect(await get('configmap', 'genai-obs-journal', '-n', NS)).toEqual(journal);

    const uninstall = await cli(['uninstall', '--namespace', NS, '--yes']);
    expect(uninstall.code).toBe(1);
    expect(errorOf(uninstall).cause).toContain(`pid=${first.child.pid}`);
    slow.release();
    const done = await first.ended;
    expect(done.code, done.stderr).toBe(0);
    expect(await pending(NS)).toEqual([]);
  });

  it('started at the same time, exactly one of them works', async () => {
    const both = await Promise.all([cli(SMALL), cli(SMALL)]);
    const codes = both.map(({ code }) => code ?? -1).toSorted((a, b) => a - b);
    // Both succeed only if one finished before the other one requested the lock.
    const worked = both.filter(({ code }) => code === 0) as [Run, ...Run[]];
    expect(codes[0], both.map(({ stderr }) => stderr).join('\n---\n')).toBe(0);
    const lost = both.find(({ code }) => code !== 0);
    if (lost) expect(errorOf(lost).cause).toMatch(/held by \S+ pid=\d+ install/);
    else expect(worked.some(({ stderr }) => stderr.includes('Nothing to do'))).toBe(true);
    expect((await cliOk(SMALL)).stderr).toContain('Nothing to do');
  });
});

describe('a lock whose holder no longer exists', () => {
  const lease = (holderIdentity: string, renewTime: Date): object => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: 'genai-obs',
      namespace: NS,
      labels: { 'app.kubernetes.io/part-of': 'genai-obs', 'app.kubernetes.io/managed-by': 'genai-obs' },
    },
    spec: { holderIdentity, leaseDurationSeconds: 20, renewTime: renewTime.toISOString().replace('Z', '000Z') },
  });
  const holder = 'somebody@elsewhere pid=4711 install 0123abcd';

  it.each([
    ['long ago', -600_000],
    ['a moment ago', 0],
    // Another machine's clock may be ahead.
    ['in the future', 3_600_000],
  ])('held on another machine and last renewed %s is taken over', async (_name, offset) => {
    await cliOk(LOCK_ONLY);
    await kubectl(['apply', '-f', '-'], JSON.stringify(lease(holder, new Date(Date.now() + offset))));
    await cliOk(LOCK_ONLY);
    const { items } = await get('lease', '-n', NS);
    expect(items.map(({ metadata }) => metadata.name)).not.toContain('genai-obs');
  });

  it('is not taken over while it is renewed', async () => {
    await cliOk(LOCK_ONLY);
    await kubectl(['apply', '-f', '-'], JSON.stringify(lease(holder, new Date())));
    const renewing = setInterval(
      () => void kubectl(['apply', '-f', '-'], JSON.stringify(lease(holder, new Date()))).catch(() => {}),
      2_000,
    );
    try {
      const done = await cli(LOCK_ONLY);
      expect(done.code).toBe(1);
      expect(errorOf(done).cause).toBe(`held by ${holder}`);
    } finally {
      clearInterval(renewing);
    }
    const { spec } = await get<{ spec: { holderIdentity: string } }>('lease', 'genai-obs', '-n', NS);
    expect(spec.holderIdentity).toBe(holder);
    // Delete the lock, because the next test needs the namespace.
    await kubectl(['-n', NS, 'delete', 'lease', 'genai-obs', '--ignore-not-found']);
  });
});

describe('Ctrl-C', () => {
  it('lets running steps finish, reports the progress, and the next install resumes', async () => {
    const install = startInstall([...INSTALL, '--json']);
    await install.event(({ type, id }) => type === 'start' && id === 'release/loki');
    install.child.kill('SIGINT');
    const done = await install.ended;
    expect(done.code, done.stderr).toBe(130);
    expectNoCrash(done);
    const last = JSON.parse(done.stdout.trim().split('\n').at(-1) ?? '') as {
      error: { what: string; next: string };
      exit: number;
    };
    expect(last.exit).toBe(130);
    expect(last.error.what).toMatch(/^stopped: \d+ of \d+ steps are done/);
    expect(last.error.next).toContain('run install again: it resumes');
    expect(await pending(NS), 'releases that helm did not complete').toEqual([]);
    const { items } = await get('lease', '-n', NS);
    expect(
      items.map(({ metadata }) => metadata.name),
      'the lock is released',
    ).not.toContain('genai-obs');

    const again = await cliOk([...INSTALL, '--json']);
    const finished = install.events
      .filter(({ type, result }) => type === 'done' && result === 'applied')
      .map(({ id }) => id);
    expect(appliedBy(again).filter((id) => finished.includes(id))).toEqual([]);
    expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
  });

  it('SIGTERM does the same and reports it in the plain view', async () => {
    const slow = pausingHelm();
    const install = startInstall(SMALL, { GENAI_OBS_HELM: slow.helm });
    await slow.reached();
    install.child.kill('SIGTERM');
    slow.release();
    const done = await install.ended;
    expect(done.code, done.stderr).toBe(130);
    expect(done.stderr).toContain('stopping after the running steps; press Ctrl-C again to stop at once');
    expect(errorOf({ ...done, stderr: done.stderr.replace('cancelled: ', 'error: ') }).next).toContain(
      'run install again: it resumes',
    );
    expect(await pending(NS)).toEqual([]);
  });

  it('pressed twice, it exits immediately and the next install resumes', async () => {
    const slow = pausingHelm();
    const install = startInstall(SMALL, { GENAI_OBS_HELM: slow.helm });
    await slow.reached();
    install.child.kill('SIGINT');
    await install.said('stopping');
    install.child.kill('SIGINT');
    // helm still waits, so the command exited without it.
    const done = await install.ended;
    expect(done.code).toBe(130);
    slow.release();
    await cliOk(SMALL);
    expect(await pending(NS)).toEqual([]);
    expect((await cliOk(SMALL)).stderr).toContain('Nothing to do');
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FAULTS, type Fault } from '../faults/index.ts';
import { cli, cliOk, leaveNothing, removeAll } from '../support/cluster.ts';
import { expectNoCrash } from '../support/refusal.ts';

interface Finding {
  id: string;
  title: string;
  status: string;
  evidence: string;
  cause?: string;
  fix?: string;
  object?: string;
  blockedBy?: string;
}
interface Report {
  exitCode: number;
  findings: Finding[];
}

const CALM = new Set(['ok', 'skip']);
const line = ({ id, status, evidence, blockedBy }: Finding): string =>
  `${id} ${status}${blockedBy ? ` by ${blockedBy}` : ''}: ${evidence}`;
const troubles = ({ findings }: Report): string[] => findings.filter(({ status }) => !CALM.has(status)).map(line);

async function doctor(ns: string): Promise<Report & { code: number | null }> {
  const done = await cli(['doctor', '--namespace', ns, '-o', 'json']);
  // stdout is the report, which may quote a program's last words; that it is whole is shown by parsing it.
  expectNoCrash({ ...done, stdout: '' });
  return { ...(JSON.parse(done.stdout) as Report), code: done.code };
}

/** Alerts that look back for five minutes tell of a restart that is over; nothing else may be left of a fault. */
const isMemory = (text: string): boolean => /^ALRT-06 warn: warning: (PodRestarted \(\S+\)(, )?)+$/.test(text);

/** Prometheus scrapes every 15 s: a stack that is well again says so after a while. */
async function untilHealthy(ns: string, seconds: number, left: (text: string) => boolean = () => false): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const report = await doctor(ns);
    const found = troubles(report).filter((text) => !left(text));
    if (report.code === 0 && found.length === 0) return;
    if (Date.now() > end) throw new Error(`not healthy after ${seconds} s:\n  ${found.join('\n  ')}`);
    // A doctor is two seconds of a core, which the other half needs too.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
  }
}

function expectCause({ findings }: Report, fault: Fault, ns: string): void {
  const first = findings[0];
  const all = findings.filter(({ status }) => !CALM.has(status)).map(line);
  expect(first?.status, all.join('\n')).toBe('fail');
  expect(first?.id, all.join('\n')).toMatch(
    typeof fault.first === 'string' ? new RegExp(`^${fault.first}$`) : fault.first,
  );
  expect(first?.evidence).toMatch(fault.evidence);
  expect(first?.cause).toMatch(fault.cause);
  expect(first?.fix).toMatch(fault.fix);
  if (fault.object) expect(first?.object).toBe(fault.object.replace('NS', ns));
}

/** Two installations at a time share the faults: they mostly wait for scrapes. */
const HALVES = [0, 1].map((half): [string, Fault[]] => [
  `it-break-${half + 1}`,
  FAULTS.filter((_fault, i) => i % 2 === half),
]);

describe.concurrent.each(HALVES)('the doctor names the cause first, %s', (ns, faults) => {
  const install = ['install', '--namespace', ns, '--yes'];
  let injected: Fault | undefined;

  beforeAll(async () => {
    leaveNothing(ns);
    await removeAll(ns);
    await cliOk(install);
  });
  afterAll(() => removeAll(ns));
  /** The cure is what every user has at hand: the same install again. It also proves that install repairs. */
  afterEach(async () => {
    const fault = injected;
    injected = undefined;
    if (!fault) return;
    try {
      await fault.undo?.(ns);
      await cliOk([...install, '--skip', 'verify']);
      await untilHealthy(ns, 240, isMemory);
    } catch (error) {
      // The next faults need a stack that is well.
      await removeAll(ns);
      await cliOk(install);
      throw error;
    }
  });

  it.sequential('a healthy stack gives no warning and no failure', () => untilHealthy(ns, 120));

  it.sequential.each(faults.map((fault): [string, Fault] => [fault.name, fault]))('%s', async (_name, fault) => {
    injected = fault;
    await fault.inject(ns);
    const report = await doctor(ns);
    expect(report.code).toBe(3);
    expect(report.exitCode).toBe(3);
    expectCause(report, fault, ns);
  });

  it.sequential('and at the end it is well, by the probe too', async () => {
    await untilHealthy(ns, 400);
    const report = JSON.parse(
      (await cliOk(['doctor', '--namespace', ns, '--probe', '--strict', '-o', 'json'])).stdout,
    ) as Report;
    expect(troubles(report)).toEqual([]);
  });
});

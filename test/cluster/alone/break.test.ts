import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FAULTS, type Fault } from '../faults/index.ts';
import { cli, cliOk, uninstallOnInterrupt, removeAll } from '../support/cluster.ts';
import { type Report, problems } from '../support/doctor.ts';
import { expectNoCrash } from '../support/refusal.ts';

async function doctor(ns: string): Promise<Report & { code: number | null }> {
  const done = await cli(['doctor', '--namespace', ns, '-o', 'json']);
  // Parsing checks stdout, which may quote a stack trace from the log of a program.
  expectNoCrash({ ...done, stdout: '' });
  return { ...(JSON.parse(done.stdout) as Report), code: done.code };
}

/** An alert with a window of five minutes, which still fires after a restart. */
const isPastRestart = (text: string): boolean => /^ALRT-06 warn: warning: (PodRestarted \(\S+\)(, )?)+$/.test(text);

/** Waits until doctor reports no problem. Prometheus scrapes every 15 s, so a repair takes a while to show. */
async function untilHealthy(
  ns: string,
  seconds: number,
  ignored: (text: string) => boolean = () => false,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const report = await doctor(ns);
    const found = problems(report).filter((text) => !ignored(text));
    if (report.code === 0 && found.length === 0) return;
    if (Date.now() > end) throw new Error(`not healthy after ${seconds} s:\n  ${found.join('\n  ')}`);
    // doctor takes two seconds of a core, which the other half of the faults needs too.
    await sleep(5_000);
  }
}

function expectCause(report: Report, fault: Fault, ns: string): void {
  const first = report.findings[0];
  const all = problems(report).join('\n');
  expect(first?.status, all).toBe('fail');
  expect(first?.id, all).toMatch(typeof fault.first === 'string' ? new RegExp(`^${fault.first}$`) : fault.first);
  expect(first?.evidence).toMatch(fault.evidence);
  expect(first?.cause).toMatch(fault.cause);
  expect(first?.fix).toMatch(fault.fix);
  if (fault.object) expect(first?.object).toBe(fault.object.replace('NS', ns));
}

/** Two installations share the faults and run concurrently, because they mostly wait for scrapes. */
const HALVES = [0, 1].map((half): [string, Fault[]] => [
  `it-break-${half + 1}`,
  FAULTS.filter((_fault, i) => i % 2 === half),
]);

describe.concurrent.each(HALVES)('doctor reports the root cause first, %s', (ns, faults) => {
  const install = ['install', '--namespace', ns, '--yes'];
  let injected: Fault | undefined;

  beforeAll(async () => {
    uninstallOnInterrupt(ns);
    await removeAll(ns);
    await cliOk(install);
  });
  afterAll(() => removeAll(ns));
  /** Repairs the fault as a user would, with a second install, which also proves that install repairs. */
  afterEach(async () => {
    const fault = injected;
    injected = undefined;
    if (!fault) return;
    try {
      await fault.undo?.(ns);
      await cliOk([...install, '--skip', 'verify']);
      await untilHealthy(ns, 240, isPastRestart);
    } catch (error) {
      // The next fault needs a healthy stack.
      await removeAll(ns);
      await cliOk(install);
      throw error;
    }
  });

  it.sequential('reports no warning and no failure on a healthy stack', () => untilHealthy(ns, 120));

  it.sequential.each(faults.map((fault): [string, Fault] => [fault.name, fault]))('%s', async (_name, fault) => {
    injected = fault;
    await fault.inject(ns);
    const report = await doctor(ns);
    expect(report.code).toBe(3);
    expect(report.exitCode).toBe(3);
    expectCause(report, fault, ns);
  });

  it.sequential('reports no problem at the end, also with the probe', async () => {
    await untilHealthy(ns, 400);
    const report = JSON.parse(
      (await cliOk(['doctor', '--namespace', ns, '--probe', '--strict', '-o', 'json'])).stdout,
    ) as Report;
    expect(problems(report)).toEqual([]);
  });
});

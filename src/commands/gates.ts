import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '../app/session.ts';
import type { Finding } from '../checks/lib/check.ts';
import { EXIT, ObsError, cancelled } from '../core/errors.ts';
import { plural } from '../core/text.ts';
import type { RunContext } from '../engine/run.ts';
import type { Report } from '../engine/steps/types.ts';
import type { Config } from '../profile/schema.ts';

/** The gates of an installation are stages of the doctor: preflight, and verify with the probe. */
export function gates(session: Session, config: Config, signal: AbortSignal): RunContext['gate'] {
  return (step, report) =>
    step.gate === 'preflight' ? preflight(session, config) : verify(session, config, signal, report);
}

/** Checks without which nothing works: a tool that does not report its version is refused, too. */
const TOOLS: Record<string, string> = { 'PRE-01': 'kubectl version --client', 'PRE-02': 'helm version' };

/** Refuses what will fail. Checks that cannot run, for example without rights on nodes, are only reported. */
async function preflight(session: Session, config: Config): Promise<string> {
  const { runStage } = await import('../doctor/stage.ts');
  const findings = await runStage(session, config, 'preflight', {});
  refuse(
    findings
      .filter((f) => f.status === 'fail' || (f.status === 'unknown' && TOOLS[f.id]))
      .map((f) => ({ ...f, fix: f.fix ?? TOOLS[f.id] ?? 'genai-obs doctor --stage preflight' })),
    'the cluster is not ready for this installation',
    'genai-obs doctor --stage preflight',
  );
  return summary(findings);
}

/** Milliseconds: scrapes and exports need time after the start. */
const SETTLE_TIME = 90_000;

/** Runs the stack checks and the probe until they pass. @throws ObsError when they do not pass within SETTLE_TIME */
export async function verify(session: Session, config: Config, signal: AbortSignal, report: Report): Promise<string> {
  const { runStage } = await import('../doctor/stage.ts');
  const deadline = Date.now() + SETTLE_TIME;
  let passed: Finding[] = [];
  report('sending a trace, a metric and a log through the gateway');
  for (;;) {
    // A probe that has passed need not be repeated while other checks settle.
    const probe = passed.length === 0;
    const findings = await runStage(session, config, 'stack', { probe, signal });
    const hops = findings.filter((f) => f.area === 'E2E');
    if (probe && hops.every((f) => f.status === 'ok' || f.status === 'skip')) passed = hops;
    const all = [...findings.filter((f) => f.area !== 'E2E'), ...(probe ? hops : passed)];
    const bad = all.filter((f) => f.status === 'fail' || f.status === 'unknown');
    if (bad.length === 0) return summary(all);
    if (signal.aborted) throw cancelled('stopped during the verification', 'genai-obs doctor --probe');
    if (Date.now() > deadline)
      refuse(bad, 'everything is installed, but the verification did not pass', 'genai-obs doctor --probe');
    const waiting = bad.map((f) => `${f.id} (${f.evidence.slice(0, 60)})`);
    report(`waiting for ${plural(bad.length, 'check')} to settle: ${waiting.join(', ')}`);
    await sleep(2_000);
  }
}

/** For example `27 checks ok; PRE-09 could not check: forbidden; PRE-24 warns: port 3000 is taken`. */
function summary(findings: Finding[]): string {
  const of = (status: Finding['status']): Finding[] => findings.filter((f) => f.status === status);
  const notes = [
    ...of('unknown').map((f) => `${f.id} ${f.evidence}`),
    ...of('warn').map((f) => `${f.id} warns: ${f.evidence}`),
  ];
  return [`${plural(of('ok').length, 'check')} ok`, ...notes].join('; ');
}

function refuse([first, ...rest]: Finding[], what: string, next: string): void {
  if (!first) return;
  const more = rest.length ? ` (and ${rest.length} more: ${rest.map((f) => f.id).join(', ')})` : '';
  throw new ObsError({
    what: `${what}: ${first.id} ${first.title}: ${first.evidence}${more}`,
    exit: EXIT.failed,
    ...(first.object ? { object: first.object } : {}),
    ...(first.cause ? { cause: first.cause } : {}),
    next: first.fix ?? next,
  });
}

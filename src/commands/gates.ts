import type { Finding } from '../checks/lib/check.ts';
import type { Wires } from '../app/wire.ts';
import { EXIT, ObsError, cancelled } from '../core/errors.ts';
import type { GateStep } from '../engine/steps/gate.ts';
import { sleep } from '../core/sleep.ts';
import type { Config } from '../profile/schema.ts';

type Report = (detail: string) => void;

/** The installer's gates are the doctor: preflight is its preflight stage, verify is all of it with the probe. */
export function gates(
  wires: Wires,
  config: Config,
  signal: AbortSignal,
): (step: GateStep, report: Report) => Promise<string> {
  return (step, report) =>
    step.gate === 'preflight' ? preflight(wires, config) : verify(wires, config, signal, report);
}

/** kubectl and helm: without them nothing can be done, so one that does not tell its version is refused too. */
const TOOLS: Record<string, string> = { 'PRE-01': 'kubectl version --client', 'PRE-02': 'helm version' };

/** Refuses what is known to fail. What could not be looked at (a caller without rights on nodes) is told, and does not stop. */
async function preflight(wires: Wires, config: Config): Promise<string> {
  const { runStage } = await import('../doctor/stage.ts');
  const findings = await runStage(wires, config, 'preflight', {});
  refuse(
    findings
      .filter((f) => f.status === 'fail' || (f.status === 'unknown' && TOOLS[f.id]))
      .map((f) => ({ ...f, fix: f.fix ?? TOOLS[f.id] ?? 'genai-obs doctor --stage preflight' })),
    'the cluster is not ready for this installation',
    'genai-obs doctor --stage preflight',
  );
  return summary(findings);
}

const SETTLE = 90_000;

/** Right after the start scrapes and exports need a moment: what fails is looked at again until it settles. */
async function verify(wires: Wires, config: Config, signal: AbortSignal, report: Report): Promise<string> {
  const { runStage } = await import('../doctor/stage.ts');
  const deadline = Date.now() + SETTLE;
  let proven: Finding[] = [];
  report('sending a trace, a metric and a log through the gateway');
  for (;;) {
    const probe = proven.length === 0;
    const findings = await runStage(wires, config, 'stack', { probe, signal });
    const hops = findings.filter((f) => f.area === 'E2E');
    // A probe that has passed need not be sent again while other checks settle.
    if (probe && hops.every((f) => f.status === 'ok' || f.status === 'skip')) proven = hops;
    const all = [...findings.filter((f) => f.area !== 'E2E'), ...(probe ? hops : proven)];
    const bad = all.filter((f) => f.status === 'fail' || f.status === 'unknown');
    if (bad.length === 0) return summary(all);
    if (signal.aborted) throw cancelled('stopped during the verification', 'genai-obs doctor --probe');
    if (Date.now() > deadline)
      refuse(bad, 'everything is installed, but the verification did not pass', 'genai-obs doctor --probe');
    report(
      `waiting for ${bad.length} checks to settle: ${bad.map((f) => `${f.id} (${f.evidence.slice(0, 60)})`).join(', ')}`,
    );
    await sleep(2_000);
  }
}

/** For example `27 checks ok; PRE-09 could not look; PRE-24 warns: port 3000 is taken`. */
function summary(findings: Finding[]): string {
  const of = (status: Finding['status']): Finding[] => findings.filter((f) => f.status === status);
  const notes = [
    ...of('unknown').map((f) => `${f.id} ${f.evidence}`),
    ...of('warn').map((f) => `${f.id} warns: ${f.evidence}`),
  ];
  return [`${of('ok').length} checks ok`, ...notes].join('; ');
}

function refuse(bad: Finding[], what: string, next: string): void {
  const first = bad[0];
  if (!first) return;
  const more =
    bad.length > 1
      ? ` (and ${bad.length - 1} more: ${bad
          .slice(1)
          .map((f) => f.id)
          .join(', ')})`
      : '';
  throw new ObsError({
    what: `${what}: ${first.id} ${first.title}: ${first.evidence}${more}`,
    exit: EXIT.failed,
    ...(first.object ? { object: first.object } : {}),
    ...(first.cause ? { cause: first.cause } : {}),
    next: first.fix ?? next,
  });
}

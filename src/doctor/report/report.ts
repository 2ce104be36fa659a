import type { Finding, Status } from '../../checks/lib/check.ts';
import type { ProbeResult } from '../../checks/lib/values.ts';
import { EXIT, type ExitCode } from '../../core/errors.ts';

export type Summary = Record<Status, number> & { total: number };

/** What every renderer draws, and what `-o json` prints: docs/schemas/doctor-report.schema.json. */
export interface Report {
  schemaVersion: 1;
  tool: { name: 'genai-obs'; version: string };
  context: string;
  namespace: string;
  profile: string;
  /** ISO time at which the facts were collected. */
  startedAt: string;
  /** Milliseconds from the first fact to the last verdict. */
  ms: number;
  summary: Summary;
  exitCode: ExitCode;
  findings: Finding[];
  probe?: ProbeResult;
}

export function summarise(findings: Finding[]): Summary {
  const summary: Summary = { ok: 0, warn: 0, fail: 0, unknown: 0, blocked: 0, skip: 0, total: findings.length };
  for (const finding of findings) summary[finding.status] += 1;
  return summary;
}

/** The same in every output format. `unknown` counts as failed: a check that cannot run must not pass silently. */
export function exitCodeOf(findings: Finding[], strict = false): ExitCode {
  const has = (status: Status) => findings.some((finding) => finding.status === status);
  if (has('fail') || has('unknown')) return EXIT.check;
  return has('warn') && strict ? EXIT.warnings : EXIT.ok;
}

/** `-o json`. */
export function json(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** `-o short`: one line per finding that is not ok, without tabs or colours, for grep and for chat. */
export function short({ findings, summary }: Report): string {
  const lines = findings
    .filter(({ status }) => status !== 'ok' && status !== 'skip')
    .map(({ status, id, evidence, fix, blockedBy }) =>
      blockedBy
        ? `${status} ${id} (caused by ${blockedBy}): ${evidence}`
        : `${status} ${id}: ${evidence}${fix ? `; fix: ${fix}` : ''}`,
    );
  const counts = Object.entries(summary).flatMap(([name, number]) =>
    number && name !== 'total' ? [`${number} ${name}`] : [],
  );
  return `${[...lines, `${summary.total} checks: ${counts.join(', ')}`].join('\n')}\n`;
}

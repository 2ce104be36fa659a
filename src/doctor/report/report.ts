import type { Finding, Status } from '../../checks/lib/check.ts';
import type { ExitCode } from '../../core/errors.ts';
import { EXIT } from '../../core/errors.ts';
import type { ProbeResult } from '../../checks/lib/values.ts';

export type Summary = Record<Status, number> & { total: number };

/** What every renderer draws, and what `-o json` prints: docs/schemas/doctor-report.schema.json. */
export interface Report {
  schemaVersion: 1;
  tool: { name: 'genai-obs'; version: string };
  context: string;
  namespace: string;
  profile: string;
  /** ISO time at which the facts were taken. */
  startedAt: string;
  /** Milliseconds that looking took. */
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

/** The same in every output format. What could not be looked at counts as failed: it must never pass silently. */
export function exitCodeOf(findings: Finding[], strict = false): ExitCode {
  const has = (status: Status) => findings.some((finding) => finding.status === status);
  if (has('fail') || has('unknown')) return EXIT.check;
  return has('warn') && strict ? EXIT.warnings : EXIT.ok;
}

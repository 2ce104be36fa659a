import type { Finding } from '../../checks/lib/check.ts';
import type { Report } from './report.ts';

/** Characters that XML 1.0 forbids, even escaped. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

function escape(text: string): string {
  return text
    .replace(FORBIDDEN, '\uFFFD')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/\n/g, '&#10;');
}

/** One suite per area, one case per check. A warning is a passed case with system-out; what could not be looked at is an error. */
export function junit(report: Report): string {
  const areas = [...new Set(report.findings.map((one) => one.area))];
  const suites = areas.map((area) =>
    suite(
      area,
      report.findings.filter((one) => one.area === area),
      report,
    ),
  );
  const seconds = (report.ms / 1000).toFixed(3);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="genai-obs doctor" time="${seconds}" ${counts(report.findings)}>\n${suites.join('\n')}\n</testsuites>\n`;
}

function counts(findings: Finding[]): string {
  const number = (...statuses: string[]) => findings.filter((one) => statuses.includes(one.status)).length;
  return `tests="${findings.length}" failures="${number('fail', 'blocked')}" errors="${number('unknown')}" skipped="${number('skip')}"`;
}

function suite(area: string, findings: Finding[], report: Report): string {
  return `  <testsuite name="${area}" timestamp="${escape(report.startedAt)}" ${counts(findings)}>\n${findings.map((one) => testcase(one, report)).join('\n')}\n  </testsuite>`;
}

function testcase(finding: Finding, report: Report): string {
  const head = `    <testcase classname="${escape(`${report.namespace}.${finding.area}`)}" name="${escape(`${finding.id} ${finding.title}`)}"`;
  const details = [
    finding.object && `on: ${finding.object}`,
    finding.cause && `cause: ${finding.cause}`,
    finding.fix && `fix: ${finding.fix}`,
    `docs: ${finding.docs}`,
  ]
    .filter(Boolean)
    .join('\n');
  const message = escape(finding.evidence);
  switch (finding.status) {
    case 'ok':
      return `${head}/>`;
    case 'skip':
      return `${head}><skipped message="${message}"/></testcase>`;
    case 'warn':
      return `${head}><system-out>${escape(`warning: ${finding.evidence}\n${details}`)}</system-out></testcase>`;
    case 'unknown':
      return `${head}><error type="unknown" message="${message}">${escape(details)}</error></testcase>`;
    case 'blocked':
      return `${head}><failure type="blocked" message="${escape(`follows from ${finding.blockedBy}: ${finding.evidence}`)}">${escape(details)}</failure></testcase>`;
    case 'fail':
      return `${head}><failure type="fail" message="${message}">${escape(details)}</failure></testcase>`;
  }
}

import type { Finding, Status } from '../../checks/lib/check.ts';
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

/** One suite per area, one case per check. A warning passes with system-out; an unknown finding is an error. */
export function junit(report: Report): string {
  const areas = [...new Set(report.findings.map(({ area }) => area))];
  const suites = areas.map((area) => {
    const findings = report.findings.filter((one) => one.area === area);
    const cases = findings.map((one) => testcase(one, report));
    const head = `name="${area}" timestamp="${escape(report.startedAt)}" ${counts(findings)}`;
    return `  <testsuite ${head}>\n${cases.join('\n')}\n  </testsuite>`;
  });
  const head = `name="genai-obs doctor" time="${(report.ms / 1000).toFixed(3)}" ${counts(report.findings)}`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${head}>\n${suites.join('\n')}\n</testsuites>\n`;
}

function counts(findings: Finding[]): string {
  const number = (...statuses: Status[]) => findings.filter(({ status }) => statuses.includes(status)).length;
  const bad = `failures="${number('fail', 'blocked')}" errors="${number('unknown')}"`;
  return `tests="${findings.length}" ${bad} skipped="${number('skip')}"`;
}

function testcase(finding: Finding, { namespace }: Report): string {
  const { status, evidence, blockedBy } = finding;
  const name = escape(`${finding.id} ${finding.title}`);
  const head = `    <testcase classname="${escape(`${namespace}.${finding.area}`)}" name="${name}"`;
  const details = [
    finding.object && `on: ${finding.object}`,
    finding.cause && `cause: ${finding.cause}`,
    finding.fix && `fix: ${finding.fix}`,
    `docs: ${finding.docs}`,
  ]
    .filter(Boolean)
    .join('\n');
  const problem = (tag: string, message: string): string =>
    `${head}><${tag} type="${status}" message="${escape(message)}">${escape(details)}</${tag}></testcase>`;
  switch (status) {
    case 'ok':
      return `${head}/>`;
    case 'skip':
      return `${head}><skipped message="${escape(evidence)}"/></testcase>`;
    case 'warn':
      return `${head}><system-out>${escape(`warning: ${evidence}\n${details}`)}</system-out></testcase>`;
    case 'unknown':
      return problem('error', evidence);
    case 'blocked':
      return problem('failure', `caused by ${blockedBy}: ${evidence}`);
    case 'fail':
      return problem('failure', evidence);
  }
}

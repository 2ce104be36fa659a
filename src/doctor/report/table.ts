import wrapAnsi from 'wrap-ansi';
import { AREAS } from '../../checks/index.ts';
import type { Finding, Status } from '../../checks/lib/check.ts';
import { list, type Paint, plural } from '../../core/text.ts';
import type { Report } from './report.ts';

const GLYPHS: Record<Status, string> = { ok: '✔', warn: '▲', fail: '✖', unknown: '?', blocked: '↳', skip: '–' };
const WORDS: Record<Status, string> = {
  ok: 'ok',
  warn: 'warning',
  fail: 'failed',
  unknown: 'could not check',
  blocked: 'blocked',
  skip: 'skipped',
};
/** Problems from the worst. */
const PROBLEMS = ['fail', 'unknown', 'warn', 'blocked'] as const;

type Color = (text: string) => string;

function tint(paint: Paint, status: Status): Color {
  if (status === 'ok') return paint.ok;
  if (status === 'warn') return paint.warn;
  return status === 'fail' || status === 'unknown' ? paint.fail : paint.dim;
}

export interface TableOptions {
  verbose?: boolean;
  /** Characters per line; default 80. */
  width?: number;
}

/** For people: the cause first, then every other problem in full, then one line per area. */
export function table(report: Report, paint: Paint, { verbose = false, width = 80 }: TableOptions = {}): string {
  const { findings } = report;
  const [first, ...others] = findings.filter(({ status }) => status === 'fail' || status === 'unknown');
  const warnings = findings.filter(({ status }) => status === 'warn');
  const section = (title: string, some: Finding[]): string[] =>
    some.length ? [paint.bold(title), ...some.flatMap((one) => [...full(one, findings, paint, width), ''])] : [];
  const title = `genai-obs doctor: profile ${report.profile}, namespace ${report.namespace}, context ${report.context}`;
  const lines = [
    ...wrap(title, width, 0).map((line) => paint.bold(line)),
    '',
    ...section(others.length ? 'Cause (fix this first)' : 'Cause', first ? [first] : []),
    ...section('Also', others),
    ...section('Warnings', warnings),
    ...areas(findings, paint, verbose, width),
    '',
    ...verdict(report, paint, width),
  ];
  return `${lines.join('\n')}\n`;
}

/** One finding with evidence, cause, command and anchor, and which findings it explains. */
function full(finding: Finding, findings: Finding[], paint: Paint, width: number): string[] {
  const color = tint(paint, finding.status);
  const rows: [label: string, text: string | undefined][] = [
    ['seen', finding.evidence],
    ['on', finding.object],
    ['cause', finding.cause],
    ['fix', finding.fix],
    ['docs', finding.docs],
  ];
  const blocked = findings.filter(({ blockedBy }) => blockedBy === finding.id).map(({ id }) => id);
  const note = blocked.length ? `explains ${plural(blocked.length, 'more finding')}: ${list(blocked, 12)}` : undefined;
  return [
    ...hanging(`${color(GLYPHS[finding.status])} `, 2, `${finding.id} ${finding.title}`, width, color),
    ...rows.flatMap(([label, text]) => hanging(`  ${paint.dim(label.padEnd(6))} `, 9, text, width)),
    ...hanging(paint.dim('  ↳ '), 4, note, width, paint.dim),
  ];
}

function areas(findings: Finding[], paint: Paint, verbose: boolean, width: number): string[] {
  return AREAS.flatMap(({ id, title }) => {
    const own = findings.filter((one) => one.area === id);
    if (own.length === 0) return [];
    const worst = [...PROBLEMS, 'ok' as const].find((status) => own.some((one) => one.status === status)) ?? 'skip';
    const counts = (Object.keys(WORDS) as Status[]).flatMap((status) => {
      const number = own.filter((one) => one.status === status).length;
      return number ? [`${number} ${WORDS[status]}`] : [];
    });
    if (!verbose)
      return hanging(`${tint(paint, worst)(GLYPHS[worst])} ${title.padEnd(20)} `, 23, counts.join(', '), width);
    const sorted = own.toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
    return [paint.bold(`${title}: ${counts.join(', ')}`), ...sorted.flatMap((one) => brief(one, paint, width)), ''];
  });
}

function brief({ id, status, evidence, blockedBy }: Finding, paint: Paint, width: number): string[] {
  const text = blockedBy ? `caused by ${blockedBy}: ${evidence}` : evidence;
  return hanging(`${tint(paint, status)(GLYPHS[status])} ${id.padEnd(10)} `, 13, text, width);
}

function verdict({ summary, ms }: Report, paint: Paint, width: number): string[] {
  const problems = PROBLEMS.flatMap((status) => (summary[status] ? [`${summary[status]} ${WORDS[status]}`] : []));
  const checks = `${plural(summary.total - summary.skip, 'check')} in ${(ms / 1000).toFixed(1)} s`;
  const result = problems.length ? `${problems.join(', ')}, ${summary.ok} ok` : 'all ok';
  const skipped = summary.skip ? `, ${summary.skip} skipped` : '';
  const color = summary.fail || summary.unknown ? paint.fail : summary.warn ? paint.warn : paint.ok;
  return wrap(`${checks}: ${result}${skipped}`, width, 0).map((line) => color(line));
}

/** A text after a head that takes `indent` columns; further lines are indented as far. */
function hanging(
  head: string,
  indent: number,
  text: string | undefined,
  width: number,
  color: Color = String,
): string[] {
  if (text === undefined) return [];
  return wrap(text, width, indent).map((line, i) => `${i === 0 ? head : ' '.repeat(indent)}${color(line)}`);
}

/** Lines of at most `width` columns less the indent; a longer word (a URL, a command) stays whole. */
export function wrap(text: string, width: number, indent: number): string[] {
  return wrapAnsi(text, Math.max(20, width - indent)).split('\n');
}

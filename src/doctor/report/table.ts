import type { Area, Finding, Status } from '../../checks/lib/check.ts';
import type { Paint } from '../../core/text.ts';
import { list } from '../../core/text.ts';
import type { Report } from './report.ts';

const AREAS: Record<Area, string> = {
  PRE: 'Cluster and machine',
  K3S: 'K3s',
  COL: 'Collectors',
  PROM: 'Prometheus',
  LOKI: 'Loki',
  TEMPO: 'Tempo',
  JAEG: 'Jaeger',
  GRAF: 'Grafana',
  ALRT: 'Alerting',
  SEC: 'Security',
  CLD: 'Grafana Cloud',
  MNT: 'Maintenance',
  E2E: 'End to end',
};

const GLYPHS: Record<Status, string> = { ok: '✔', warn: '▲', fail: '✖', unknown: '?', blocked: '↳', skip: '–' };
const WORDS: Record<Status, string> = {
  ok: 'ok',
  warn: 'warning',
  fail: 'failed',
  unknown: 'could not look',
  blocked: 'follows',
  skip: 'skipped',
};

function tint(paint: Paint, status: Status): (text: string) => string {
  if (status === 'ok') return paint.ok;
  if (status === 'warn') return paint.warn;
  return status === 'fail' || status === 'unknown' ? paint.fail : paint.dim;
}

export interface TableOptions {
  verbose?: boolean;
  /** Characters per line; default 80. */
  width?: number;
}

/** For people: the cause first, one line per area, and everything in full that is not well. */
export function table(report: Report, paint: Paint, { verbose = false, width = 80 }: TableOptions = {}): string {
  const { findings } = report;
  const roots = findings.filter((one) => one.status === 'fail' || one.status === 'unknown');
  const warnings = findings.filter((one) => one.status === 'warn');
  const title = `genai-obs doctor: profile ${report.profile}, namespace ${report.namespace}, context ${report.context}`;
  const lines = [...wrap(title, width, 0).map((line) => paint.bold(line)), ''];
  const first = roots[0];
  if (first)
    lines.push(
      paint.bold(roots.length > 1 ? 'Cause (the first of these to mend)' : 'Cause'),
      ...full(first, findings, paint, width),
      '',
    );
  if (roots.length > 1)
    lines.push(paint.bold('Also'), ...roots.slice(1).flatMap((one) => [...full(one, findings, paint, width), '']));
  if (warnings.length)
    lines.push(paint.bold('Warnings'), ...warnings.flatMap((one) => [...full(one, findings, paint, width), '']));
  lines.push(...areas(findings, paint, verbose, width), '', ...verdict(report, paint, width));
  return `${lines.join('\n')}\n`;
}

/** One finding with evidence, cause, command and anchor, and what follows from it. */
function full(finding: Finding, findings: Finding[], paint: Paint, width: number): string[] {
  const color = tint(paint, finding.status);
  const following = findings.filter((one) => one.blockedBy === finding.id).map((one) => one.id);
  const rows: [label: string, text: string | undefined][] = [
    ['seen', finding.evidence],
    ['on', finding.object],
    ['cause', finding.cause],
    ['fix', finding.fix],
    ['docs', finding.docs],
  ];
  const head = wrap(`${finding.id} ${finding.title}`, width, 2).map((line, i) =>
    i === 0 ? `${color(GLYPHS[finding.status])} ${color(line)}` : `  ${color(line)}`,
  );
  const body = rows.flatMap(([label, text]) =>
    text ? wrap(text, width, 9).map((line, i) => `  ${paint.dim((i === 0 ? label : '').padEnd(6))} ${line}`) : [],
  );
  if (following.length === 0) return [...head, ...body];
  const note = `${following.length} more ${following.length === 1 ? 'finding follows' : 'findings follow'} from it: ${list(following, 12)}`;
  return [...head, ...body, ...wrap(note, width, 4).map((line, i) => paint.dim(`  ${i === 0 ? '↳ ' : '  '}${line}`))];
}

function areas(findings: Finding[], paint: Paint, verbose: boolean, width: number): string[] {
  return (Object.keys(AREAS) as Area[]).flatMap((area) => {
    const own = findings.filter((one) => one.area === area);
    if (own.length === 0) return [];
    const worst =
      (['fail', 'unknown', 'warn', 'blocked', 'ok'] as const).find((status) =>
        own.some((one) => one.status === status),
      ) ?? 'skip';
    const counts = (Object.keys(WORDS) as Status[]).flatMap((status) => {
      const number = own.filter((one) => one.status === status).length;
      return number ? [`${number} ${WORDS[status]}`] : [];
    });
    const glyph = tint(paint, worst)(GLYPHS[worst]);
    if (!verbose)
      return wrap(counts.join(', '), width, 23).map((line, i) =>
        i === 0 ? `${glyph} ${AREAS[area].padEnd(20)} ${line}` : `${' '.repeat(23)}${line}`,
      );
    const sorted = own.toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
    return [
      paint.bold(`${AREAS[area]}: ${counts.join(', ')}`),
      ...sorted.flatMap((one) => brief(one, paint, width)),
      '',
    ];
  });
}

function brief(finding: Finding, paint: Paint, width: number): string[] {
  const text = finding.blockedBy ? `follows from ${finding.blockedBy}: ${finding.evidence}` : finding.evidence;
  return wrap(text, width, 13).map((line, i) =>
    i === 0
      ? `${tint(paint, finding.status)(GLYPHS[finding.status])} ${finding.id.padEnd(10)} ${line}`
      : `             ${line}`,
  );
}

function verdict({ summary, ms }: Report, paint: Paint, width: number): string[] {
  const looked = summary.total - summary.skip;
  const parts = (['fail', 'unknown', 'warn', 'blocked'] as const).flatMap((status) =>
    summary[status] ? [`${summary[status]} ${WORDS[status]}`] : [],
  );
  const text = `${looked} ${looked === 1 ? 'check' : 'checks'} in ${(ms / 1000).toFixed(1)} s: ${parts.length ? `${parts.join(', ')}, ${summary.ok} ok` : 'all ok'}${summary.skip ? `, ${summary.skip} do not apply` : ''}`;
  const color = summary.fail || summary.unknown ? paint.fail : summary.warn ? paint.warn : paint.ok;
  return wrap(text, width, 0).map((line) => color(line));
}

/** Lines of at most `width` characters less the indent; a word longer than that (a URL, a command) stays whole. */
export function wrap(text: string, width: number, indent: number): string[] {
  const room = Math.max(20, width - indent);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
}

import type { Report } from './report.ts';

/** One line per finding that is not ok, tab-free and uncoloured: for grep and for chat. */
export function short({ findings, summary }: Report): string {
  const lines = findings
    .filter((one) => one.status !== 'ok' && one.status !== 'skip')
    .map(
      (one) =>
        `${one.status} ${one.id}${one.blockedBy ? ` (follows from ${one.blockedBy})` : ''}: ${one.evidence}${one.fix && !one.blockedBy ? `; fix: ${one.fix}` : ''}`,
    );
  const counts = Object.entries(summary).flatMap(([name, number]) =>
    number && name !== 'total' ? [`${number} ${name}`] : [],
  );
  return `${[...lines, `${summary.total} checks: ${counts.join(', ')}`].join('\n')}\n`;
}

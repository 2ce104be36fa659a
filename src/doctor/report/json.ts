import type { Report } from './report.ts';

/** docs/schemas/doctor-report.schema.json */
export function json(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

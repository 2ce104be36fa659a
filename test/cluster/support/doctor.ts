import { cli } from './cluster.ts';

export interface Finding {
  id: string;
  title: string;
  status: string;
  evidence: string;
  cause?: string;
  fix?: string;
  object?: string;
  blockedBy?: string;
}
export interface Report {
  exitCode: number;
  summary: Record<string, number>;
  findings: Finding[];
}

/** The report of `genai-obs doctor -o json`. */
export async function doctor(namespace: string, ...args: string[]): Promise<Report> {
  return JSON.parse((await cli(['doctor', '--namespace', namespace, '-o', 'json', ...args])).stdout) as Report;
}

/** Every finding that is neither ok nor skipped, one line each. `expected` matches IDs whose warnings are normal. */
export function problems({ findings }: Pick<Report, 'findings'>, expected?: RegExp): string[] {
  return findings
    .filter(({ id, status }) => !['ok', 'skip'].includes(status) && !(status === 'warn' && expected?.test(id)))
    .map(({ id, status, evidence, blockedBy }) => `${id} ${status}${blockedBy ? ` by ${blockedBy}` : ''}: ${evidence}`);
}

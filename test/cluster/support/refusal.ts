import { expect } from 'vitest';
import { type Run, cli, footprint } from './cluster.ts';

export interface Refused {
  what: string;
  on: string;
  cause: string;
  next: string;
  run: Run;
}

/** The error as people read it: `error: what`, then `on`, `cause`, `next`, one line each. */
export function errorOf(run: Run): Refused {
  const line = (label: string): string => new RegExp(`^ {2}${label} +(.*)$`, 'm').exec(run.stderr)?.[1] ?? '';
  return {
    what: /^error: (.*)$/m.exec(run.stderr)?.[1] ?? '',
    on: line('on'),
    cause: line('cause'),
    next: line('next'),
    run,
  };
}

/** No crash of ours: neither a stack trace nor the text of an error that nobody foresaw, nor Node's own warnings. */
export function expectNoCrash({ stdout, stderr }: Run): void {
  const text = `${stdout}\n${stderr}`;
  expect(text).not.toMatch(/^\s+at .+[:(]\d+:\d+\)?$/m);
  expect(text).not.toMatch(
    /genai-obs failed|GENAI_OBS_DEBUG|UnhandledPromise|(?:: |=|"|\/)undefined\b(?! \w)|\[object |TypeError|Warning: /,
  );
}

/** The command is refused with this exit code, says what to do next, and nothing of the installation has changed. */
export async function refuses(
  namespace: string,
  args: string[],
  code: 1 | 2,
  env: NodeJS.ProcessEnv = {},
): Promise<Refused> {
  const before = await footprint(namespace);
  const run = await cli(args, env);
  expect(run.code, `exit code; it said:\n${run.stderr}`).toBe(code);
  expectNoCrash(run);
  const refused = errorOf(run);
  expect(refused.what, run.stderr).not.toBe('');
  expect(refused.next, `the next step is missing:\n${run.stderr}`).not.toBe('');
  expect(await footprint(namespace), 'something was changed').toEqual(before);
  return refused;
}

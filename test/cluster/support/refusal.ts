import { expect } from 'vitest';
import { type Run, cli, footprint } from './cluster.ts';

export interface Refused {
  what: string;
  on: string;
  cause: string;
  next: string;
  run: Run;
}

/** Parses the printed error: `error: what`, then one line each for `on`, `cause` and `next`. */
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

/** Expects no stack trace, no text of an unexpected error, and no warnings of Node. */
export function expectNoCrash({ stdout, stderr }: Run): void {
  const text = `${stdout}\n${stderr}`;
  expect(text).not.toMatch(/^\s+at .+[:(]\d+:\d+\)?$/m);
  expect(text).not.toMatch(
    /genai-obs failed|GENAI_OBS_DEBUG|UnhandledPromise|(?:: |=|"|\/)undefined\b(?! \w)|\[object |TypeError|Warning: /,
  );
}

/** Expects that the command fails with this exit code, names the next step, and changes no object. */
export async function refuses(
  namespace: string,
  args: string[],
  code: 1 | 2,
  env: NodeJS.ProcessEnv = {},
): Promise<Refused> {
  const before = await footprint(namespace);
  const run = await cli(args, env);
  expect(run.code, `exit code, with this output:\n${run.stderr}`).toBe(code);
  expectNoCrash(run);
  const refused = errorOf(run);
  expect(refused.what, run.stderr).not.toBe('');
  expect(refused.next, `the next step is missing:\n${run.stderr}`).not.toBe('');
  expect(await footprint(namespace), 'objects changed').toEqual(before);
  return refused;
}

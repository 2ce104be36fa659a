import { readFileSync } from 'node:fs';
import type { Kube } from '../adapters/kube.ts';
import { ObsError, messageOf, usageError } from '../core/errors.ts';
import { registerSecret } from '../core/redact.ts';
import { refOf, refText } from '../core/types.ts';
import type { FromMachine, SecretValue } from '../parts/types.ts';
import type { SecretStep, Step } from './types.ts';

/** What somebody typed, by the name of its variable. Not in the environment: every child would see it. */
const answers = new Map<string, string>();

export function answer(name: string, value: string): void {
  registerSecret(value);
  answers.set(name, value);
}

/** `--token-file`. @throws ObsError (usage) when it cannot be read or is empty */
export function answerFrom(name: string, path: string): void {
  answer(name, fileValue(path));
}

export function isGiven(value: SecretValue): value is FromMachine {
  return typeof value === 'object' && value !== null;
}

/**
 * A value from this machine: what was typed, variable `NAME`, the file that variable `NAME_FILE` names, or a file of the configuration.
 * It is registered, so that nothing prints it. Undefined: nobody has given it. @throws ObsError (usage) when the file cannot be read or is empty
 */
export function valueOf(source: FromMachine): string | undefined {
  if ('fromFile' in source) return fileValue(source.fromFile);
  const name = source.fromEnv;
  const text = answers.get(name) ?? process.env[name]?.trim();
  if (text) {
    registerSecret(text);
    return text;
  }
  const file = process.env[`${name}_FILE`];
  return file ? fileValue(file) : undefined;
}

function fileValue(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw usageError(
      `the file ${path} with a secret cannot be read`,
      `check the path; the file holds the value and nothing else`,
      messageOf(error),
    );
  }
  if (!text) throw usageError(`the file ${path} with a secret is empty`, 'write the value into it and nothing else');
  registerSecret(text);
  return text;
}

/** A value that a step needs, that its Secret lacks, and that nobody has given. */
export interface Missing {
  step: SecretStep;
  key: string;
  source: FromMachine;
}

/** What is missing; reads Secrets only. @throws KubeError @throws ObsError (usage) for a file that cannot be read */
export async function missingValues(steps: Step[], kube: Kube): Promise<Missing[]> {
  const secrets = steps
    .filter((step) => step.kind === 'secret')
    .filter((step) => Object.values(step.keys).some(isGiven));
  const all = await Promise.all(
    secrets.map(async (step) => {
      const live = (await kube.read(refOf(step.object)))?.['data'] as Record<string, string> | undefined;
      return Object.entries(step.keys).flatMap(([key, source]) =>
        isGiven(source) && !live?.[key] && valueOf(source) === undefined ? [{ step, key, source }] : [],
      );
    }),
  );
  return all.flat();
}

/** Before anything is changed. @throws ObsError (usage) naming the variable */
export async function refuseMissing(steps: Step[], kube: Kube): Promise<void> {
  const [first, ...more] = await missingValues(steps, kube);
  if (first) throw notGiven(first, more.length);
}

export function notGiven({ step, key, source }: Missing, more = 0): ObsError {
  const name = 'fromEnv' in source ? source.fromEnv : '';
  return new ObsError({
    what: `a secret value is missing: ${name}${more ? ` (and ${more} more)` : ''}`,
    object: `key ${key} of ${refText(refOf(step.object))}`,
    cause: `neither the Secret nor variable ${name} nor a file named by ${name}_FILE holds it`,
    next: `export ${name}, or ${name}_FILE=path of a file that holds it, and run the same again`,
    exit: 2,
  });
}

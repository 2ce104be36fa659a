import { readFileSync } from 'node:fs';
import type { Kube } from '../../adapters/kube.ts';
import { ObsError, messageOf, usageError } from '../../core/errors.ts';
import { registerSecret } from '../../core/redact.ts';
import { type KubeObject, refOf, refText } from '../../core/types.ts';
import type { FromMachine, SecretValue } from '../../parts/types.ts';

/** Values that were typed, by variable name. They are not in the environment: every child process would see them. */
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
 * A value from this machine: typed, from variable `NAME`, from the file that `NAME_FILE` names, or from a file of the
 * configuration. It is registered for redaction. Undefined: not given. @throws ObsError (usage) for an unreadable or
 * empty file
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
      'check the path; the file must contain the value and nothing else',
      messageOf(error),
    );
  }
  if (!text) throw usageError(`the file ${path} with a secret is empty`, 'write the value into it and nothing else');
  registerSecret(text);
  return text;
}

interface SecretKeys {
  object: KubeObject;
  keys: Record<string, SecretValue>;
}

/** A value that a step needs, that its Secret lacks, and that nobody has given. */
export interface Missing {
  step: SecretKeys;
  key: string;
  source: FromMachine;
}

/** Reads Secrets only. @throws KubeError @throws ObsError (usage) for a file that cannot be read */
export async function missingValues(steps: SecretKeys[], kube: Kube): Promise<Missing[]> {
  const secrets = steps.filter((step) => Object.values(step.keys).some(isGiven));
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

/** @throws ObsError (usage) naming the variable of a missing value */
export async function refuseMissing(steps: SecretKeys[], kube: Kube): Promise<void> {
  const [first, ...more] = await missingValues(steps, kube);
  if (first) throw missingValue(first, more.length);
}

export function missingValue({ step, key, source }: Missing, more = 0): ObsError {
  const name = 'fromEnv' in source ? source.fromEnv : '';
  return new ObsError({
    what: `a secret value is missing: ${name}${more ? ` (and ${more} more)` : ''}`,
    object: `key ${key} of ${refText(refOf(step.object))}`,
    cause: `it is neither in the Secret nor in variable ${name} nor in a file named by ${name}_FILE`,
    next: `export ${name}, or ${name}_FILE=PATH of a file that contains it, then run the same command again`,
    exit: 2,
  });
}

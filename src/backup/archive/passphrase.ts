import { readFile } from 'node:fs/promises';
import { messageOf, usageError } from '../../core/errors.ts';
import { registerSecret } from '../../core/redact.ts';

const ENV = 'GENAI_OBS_PASSPHRASE';
const MIN_LENGTH = 8;

/** Prompts at most once. Call this before any child process starts, so that none inherits the variable. */
export function passphraseFrom(
  file: string | undefined,
  ask: (message: string) => Promise<string>,
  twice: boolean,
): () => Promise<string> {
  const given = process.env[ENV] || undefined;
  delete process.env[ENV];
  let known: Promise<string> | undefined;
  return () => (known ??= find(file, given, ask, twice));
}

async function find(
  file: string | undefined,
  given: string | undefined,
  ask: (message: string) => Promise<string>,
  twice: boolean,
): Promise<string> {
  const value = file !== undefined ? await fromFile(file) : (given ?? (await prompt(ask, twice)));
  if (value.length < MIN_LENGTH)
    throw usageError(`the passphrase is shorter than ${MIN_LENGTH} characters`, 'choose a longer one');
  registerSecret(value);
  return value;
}

/** The first line, without its line ending. */
async function fromFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) =>
    Promise.reject(usageError(`the passphrase file ${file} cannot be read`, 'check the path', messageOf(error))),
  );
  return text.split(/\r?\n/)[0] ?? '';
}

async function prompt(ask: (message: string) => Promise<string>, twice: boolean): Promise<string> {
  const first = await ask('Passphrase for the secrets in the backup');
  if (twice && (await ask('Repeat the passphrase')) !== first)
    throw usageError('the two passphrases differ', 'run the command again');
  return first;
}

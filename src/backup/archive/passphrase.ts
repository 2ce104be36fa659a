import { readFile } from 'node:fs/promises';
import { messageOf, usageError } from '../../core/errors.ts';
import { registerSecret } from '../../core/redact.ts';

export const ENV = 'GENAI_OBS_PASSPHRASE';
const SHORTEST = 8;

/**
 * The passphrase from a file, the environment or a hidden question; asked for once. It is taken out of our
 * environment at once, so that no child process inherits it: call this before anything is started.
 */
export function passphraseFrom(
  file: string | undefined,
  ask: (message: string) => Promise<string>,
  twice: boolean,
): () => Promise<string> {
  const given = fromEnv();
  let known: Promise<string> | undefined;
  return () => (known ??= find(file, given, ask, twice));
}

async function find(
  file: string | undefined,
  given: string | undefined,
  ask: (message: string) => Promise<string>,
  twice: boolean,
): Promise<string> {
  const value = file !== undefined ? await fromFile(file) : (given ?? (await question(ask, twice)));
  if (value.length < SHORTEST)
    throw usageError(`the passphrase is shorter than ${SHORTEST} characters`, 'choose a longer one');
  registerSecret(value);
  return value;
}

function fromEnv(): string | undefined {
  const value = process.env[ENV];
  delete process.env[ENV];
  return value || undefined;
}

/** The first line, without its line break. */
async function fromFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) =>
    Promise.reject(usageError(`the passphrase file ${file} cannot be read`, 'check the path', messageOf(error))),
  );
  return text.split(/\r?\n/)[0] ?? '';
}

async function question(ask: (message: string) => Promise<string>, twice: boolean): Promise<string> {
  const first = await ask('Passphrase of the backup’s secrets');
  if (twice && (await ask('The same again')) !== first)
    throw usageError('the two passphrases differ', 'run the command again');
  return first;
}

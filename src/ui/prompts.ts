import { type Kube, explainKube } from '../adapters/kube.ts';
import { usageError } from '../core/errors.ts';
import { type Step, stepsOf } from '../engine/steps/index.ts';
import { answer, missingValues } from '../engine/steps/secretValues.ts';

/** True when a terminal can answer prompts: a pipe would answer silently, a closed stdin would throw. */
export const isInteractive = (): boolean => Boolean(process.stdin.isTTY && process.stderr.isTTY);

/** Called before any work that needs a confirmation. @throws ObsError (usage) naming the flag */
export function mustBeInteractive(flag: string): void {
  if (!isInteractive())
    throw usageError('this needs a confirmation, and there is no terminal to prompt on', `add ${flag}`);
}

/** A yes/no prompt; never waits without a terminal. @throws ObsError (usage) naming the flag */
export async function confirmOr(flag: string, message: string): Promise<boolean> {
  mustBeInteractive(flag);
  const { askYesNo } = await import('./wizard.ts');
  return askYesNo(message);
}

/** A masked prompt. @throws ObsError (usage) without a terminal */
export async function passwordOr(flag: string, message: string): Promise<string> {
  if (!isInteractive())
    throw usageError('this needs a passphrase, and there is no terminal to prompt on', `set ${flag}`);
  const { askPassword } = await import('./wizard.ts');
  return askPassword(message);
}

/** Prompts for each secret value that neither its Secret nor the environment has; keeps it in this process. */
export async function askMissing(steps: Step[], kube: Kube): Promise<void> {
  const missing = await missingValues(stepsOf(steps, 'secret'), kube).catch((error: unknown) =>
    Promise.reject(explainKube(error, kube, 'reading the secrets')),
  );
  const names = new Set(missing.flatMap(({ source }) => ('fromEnv' in source ? [source.fromEnv] : [])));
  for (const name of names) answer(name, await passwordOr(name, name));
}

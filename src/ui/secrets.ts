import type { Kube } from '../adapters/kube.ts';
import { explainKube } from '../adapters/kube.ts';
import { answer, missingValues } from '../engine/steps/secretValues.ts';
import { type Step, stepsOf } from '../engine/steps/index.ts';
import { passwordOr } from './prompts.ts';

/** Asks for each secret value that neither its Secret nor this machine has; what is typed stays in this process. */
export async function askMissing(steps: Step[], kube: Kube): Promise<void> {
  const missing = await missingValues(stepsOf(steps, 'secret'), kube).catch((error: unknown) =>
    Promise.reject(explainKube(error, kube, 'reading the secrets')),
  );
  const names = new Set(missing.flatMap(({ source }) => ('fromEnv' in source ? [source.fromEnv] : [])));
  for (const name of names) answer(name, await passwordOr(name, name));
}

import { explainKube } from '../adapters/kube.ts';
import type { Session } from '../app/session.ts';
import type { Proposal } from '../connect/flow.ts';
import type { Difference } from '../connect/patch.ts';
import { EXIT, cancelled } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { type ObjectRef, refText } from '../core/types.ts';
import { paint } from '../ui/paint.ts';

interface ApplyFlags {
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

/** Shows a change, asks for confirmation, applies it. `unchanged` is the message when there is nothing to do. */
export async function confirmAndApply(
  { kube, context }: Session,
  ref: ObjectRef,
  flags: ApplyFlags,
  unchanged: string,
  propose: () => Promise<Proposal>,
): Promise<number> {
  const say = (text: string): void => void (flags.json ? undefined : process.stderr.write(`${redact(text)}\n`));
  try {
    const { changed, differences, warnings, apply } = await propose();
    if (changed) {
      say(`${refText(ref)}:\n${differences.map(line).join('\n')}`);
      for (const text of warnings) process.stderr.write(`${paint.warn('note:')} ${redact(text)}\n`);
      await confirm(flags);
      await apply();
      const rollout = `kubectl --context ${context} -n ${ref.namespace} rollout status deployment/${ref.name}`;
      say(`${paint.ok('Done.')} Its pods restart: ${rollout}`);
    } else say(`${paint.ok('Nothing to do')}: ${refText(ref)} is ${unchanged}.`);
    const result = { deployment: `${ref.namespace}/${ref.name}`, changed, differences };
    if (flags.json) process.stdout.write(`${redact(JSON.stringify(result))}\n`);
    return EXIT.ok;
  } catch (error) {
    // Ctrl-C at the prompt is not a failure of the cluster.
    throw error instanceof Error && error.name.endsWith('PromptError')
      ? error
      : explainKube(error, kube, `changing ${refText(ref)}`);
  }
}

async function confirm({ yes }: ApplyFlags): Promise<void> {
  if (yes) return;
  const { confirmOr } = await import('../ui/prompts.ts');
  if (!(await confirmOr('--yes', 'Apply these changes? The pods of the Deployment will restart.')))
    throw cancelled('nothing was changed', 'add --yes to apply without a prompt');
}

function line({ where, name, from, to }: Difference): string {
  const what = `${where}: ${name}`;
  if (from === undefined) return `  ${paint.ok('+')} ${what} = ${to}`;
  if (to === undefined) return `  ${paint.fail('-')} ${what} (${from})`;
  return `  ${paint.warn('~')} ${what}: ${from} → ${to}`;
}

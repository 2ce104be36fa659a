import { softStop } from '../app/signals.ts';
import { openSession } from '../app/session.ts';
import { chartsFrom } from '../charts/source.ts';
import { explainKube } from '../adapters/kube.ts';
import { EXIT, cancelled } from '../core/errors.ts';
import { secondsOf } from '../profile/flags.ts';
import { refText } from '../core/types.ts';
import { takeLock } from '../engine/state/lock.ts';
import { uninstall } from '../engine/uninstall/index.ts';
import { type RemovalPlan, planRemoval } from '../engine/uninstall/plan.ts';
import { drawer } from '../ui/drawers.ts';
import { paint } from '../ui/paint.ts';

export interface UninstallOptions {
  context?: string | undefined;
  namespace?: string | undefined;
  deleteData?: boolean | undefined;
  dryRun?: boolean | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
  timeout: string;
}

export async function runUninstall(options: UninstallOptions): Promise<number> {
  const timeout = secondsOf(options.timeout);
  const session = await openSession(options);
  const deleteData = options.deleteData ?? false;
  const removal = await planRemoval(session).catch((error: unknown) =>
    Promise.reject(explainKube(error, session.kube, 'looking for what is ours')),
  );
  const nothing =
    removal.releases.length + removal.resources.length + removal.objects.length === 0 &&
    (!deleteData || (removal.data.length === 0 && removal.namespaces.length === 0));
  if (options.dryRun || (!options.yes && !nothing)) process.stderr.write(`${describeRemoval(removal, deleteData)}\n`);
  if (options.dryRun) return EXIT.ok;
  if (nothing) {
    process.stderr.write(
      `Nothing of genai-obs is in namespace ${session.namespace}${removal.data.length ? `, but ${removal.data.map(refText).join(', ')} (remove with --delete-data)` : ''}.\n`,
    );
    return EXIT.ok;
  }
  const { confirmOr } = await import('../ui/prompts.ts');
  if (!options.yes && !(await confirmOr('--yes', deleteData ? 'Delete all of it, with its data?' : 'Remove it?')))
    throw cancelled('nothing was removed', 'genai-obs uninstall');
  const draw = await drawer(options.json ?? false);
  const stop = softStop(() => draw.emit({ type: 'notice', detail: 'stopping after what runs' }));
  const lock =
    removal.namespaces.length ||
    (await session.kube.read({ apiVersion: 'v1', kind: 'Namespace', name: session.namespace }))
      ? await takeLock(session.kube, session.namespace, 'uninstall', (detail) => draw.emit({ type: 'notice', detail }))
      : undefined;
  try {
    draw.emit({ type: 'plan', steps: stepsOf(removal, deleteData) });
    const hands = { ...session, charts: chartsFrom(''), timeout: timeout * 1000, signal: stop.signal };
    const result = await uninstall(removal, hands, { deleteData }, draw.emit);
    await draw.close();
    if (options.json)
      process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), type: 'result', ...result })}\n`);
    else {
      process.stderr.write(
        `\n${paint.ok('Removed.')} Nothing else of genai-obs is left in the cluster (${result.kinds} kinds looked at).\n`,
      );
      if (deleteData) for (const line of heldBy(removal)) process.stderr.write(`${paint.warn('kept:')} ${line}\n`);
      const kept = deleteData
        ? result.kept.filter((text) => !removal.held.some((ref) => refText(ref) === text))
        : result.kept;
      if (kept.length)
        process.stderr.write(
          `kept: ${kept.join(', ')}\n  a new install uses them again; remove them with: genai-obs uninstall --delete-data\n`,
        );
    }
    return EXIT.ok;
  } catch (error) {
    await draw.close();
    throw explainKube(error, session.kube, 'uninstalling');
  } finally {
    await lock?.release();
    stop.dispose();
  }
}

/** Which namespace stays for whose objects: whoever asked for all of it to go wants to know why it did not. */
function heldBy({ held, foreign }: RemovalPlan): string[] {
  return held.map(({ name }) => {
    const theirs = foreign.filter((text) => text.split(' ')[1]?.startsWith(`${name}/`));
    const more = theirs.length > 5 ? ` and ${theirs.length - 5} more` : '';
    return `namespace ${name}, because it holds objects of others: ${theirs.slice(0, 5).join(', ')}${more}`;
  });
}

function stepsOf(removal: RemovalPlan, deleteData: boolean): { id: string; phase: string; title: string }[] {
  const row = (id: string, phase: string): { id: string; phase: string; title: string } => ({ id, phase, title: id });
  return [
    ...removal.resources.map((ref) => row(refText(ref), 'collectors')),
    ...removal.releases.map(({ name }) => row(`release ${name}`, 'backends')),
    ...removal.objects.map((ref) => row(refText(ref), 'alerting')),
    ...(deleteData ? removal.data.map((ref) => row(refText(ref), 'storage')) : []),
    ...(deleteData ? removal.namespaces.map((ref) => row(refText(ref), 'namespaces')) : []),
  ];
}

function describeRemoval(removal: RemovalPlan, deleteData: boolean): string {
  const lines = [
    paint.bold('This will be removed:'),
    ...removal.resources.map((ref) => `  - ${refText(ref)}`),
    ...removal.releases.map(({ name, namespace }) => `  - release ${namespace}/${name}`),
    ...removal.objects.map((ref) => `  - ${refText(ref)}`),
  ];
  const data = [...removal.data, ...removal.namespaces].map(refText);
  if (deleteData) lines.push(...data.map((text) => paint.fail(`  - ${text}`)));
  else if (data.length)
    lines.push(paint.bold('This is kept (remove it with --delete-data):'), ...data.map((text) => `  = ${text}`));
  return lines.join('\n');
}

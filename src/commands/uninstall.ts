import { explainKube } from '../adapters/kube.ts';
import { type Session, openSession } from '../app/session.ts';
import { softStop } from '../app/signals.ts';
import { chartsFrom } from '../charts/source.ts';
import { EXIT, cancelled } from '../core/errors.ts';
import { list } from '../core/text.ts';
import { refText } from '../core/types.ts';
import { takeLock } from '../engine/state/lock.ts';
import { uninstall } from '../engine/uninstall/index.ts';
import { type RemovalPlan, planRemoval } from '../engine/uninstall/plan.ts';
import { secondsOf } from '../profile/flags.ts';
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

/** `genai-obs uninstall`: shows what it removes, asks, removes it. */
export async function runUninstall(options: UninstallOptions): Promise<number> {
  const timeout = secondsOf(options.timeout) * 1000;
  const session = await openSession(options);
  const deleteData = options.deleteData ?? false;
  const removal = await planRemoval(session).catch((error: unknown) =>
    Promise.reject(explainKube(error, session.kube, 'listing the objects of the installation')),
  );
  const nothing =
    removal.releases.length + removal.resources.length + removal.objects.length === 0 &&
    (!deleteData || (removal.data.length === 0 && removal.namespaces.length === 0));
  if (options.dryRun || (!options.yes && !nothing)) process.stderr.write(`${describeRemoval(removal, deleteData)}\n`);
  if (options.dryRun) return EXIT.ok;
  if (nothing) {
    const data = removal.data.map(refText).join(', ');
    const kept = data && `, except ${data} (remove with --delete-data)`;
    process.stderr.write(`Nothing to remove: namespace ${session.namespace} has no objects of genai-obs${kept}.\n`);
    return EXIT.ok;
  }
  const { confirmOr } = await import('../ui/prompts.ts');
  const message = deleteData ? 'Remove all of it and delete its data?' : 'Remove it?';
  if (!options.yes && !(await confirmOr('--yes', message)))
    throw cancelled('nothing was removed', 'genai-obs uninstall');
  return execute(session, removal, { deleteData, timeout, json: options.json ?? false });
}

interface Work {
  deleteData: boolean;
  /** Milliseconds per workload. */
  timeout: number;
  json: boolean;
}

async function execute(session: Session, removal: RemovalPlan, work: Work): Promise<number> {
  const { kube, namespace } = session;
  const { deleteData, timeout, json } = work;
  const draw = await drawer(json);
  const notice = (detail: string): void => draw.emit({ type: 'notice', detail });
  const stop = softStop(() => notice('stopping after the running steps'));
  const hasNamespace =
    removal.namespaces.length > 0 || (await kube.read({ apiVersion: 'v1', kind: 'Namespace', name: namespace }));
  const lock = hasNamespace ? await takeLock(kube, namespace, 'uninstall', notice) : undefined;
  try {
    draw.emit({ type: 'plan', steps: stepsOf(removal, deleteData) });
    const context = { ...session, charts: chartsFrom(''), timeout, signal: stop.signal };
    const result = await uninstall(removal, context, { deleteData }, draw.emit);
    await draw.close();
    if (json)
      process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), type: 'result', ...result })}\n`);
    else process.stderr.write(`\n${summary(removal, result, deleteData).join('\n')}\n`);
    return EXIT.ok;
  } catch (error) {
    await draw.close();
    throw explainKube(error, kube, 'uninstalling');
  } finally {
    await lock?.release();
    stop.dispose();
  }
}

function summary(removal: RemovalPlan, result: { kinds: number; kept: string[] }, deleteData: boolean): string[] {
  const held = new Set(deleteData ? removal.held.map(refText) : []);
  const kept = result.kept.filter((text) => !held.has(text));
  return [
    `${paint.ok('Removed.')} Nothing else of genai-obs is left in the cluster (checked ${result.kinds} kinds).`,
    ...(deleteData ? heldBy(removal).map((line) => `${paint.warn('kept:')} ${line}`) : []),
    ...(kept.length
      ? [
          `kept: ${kept.join(', ')}`,
          '  a new install uses them again; to remove them: genai-obs uninstall --delete-data',
        ]
      : []),
  ];
}

/** Explains which namespaces were kept and whose objects are in them. */
function heldBy({ held, foreign }: RemovalPlan): string[] {
  return held.map(({ name }) => {
    const theirs = foreign.filter((text) => text.split(' ')[1]?.startsWith(`${name}/`));
    return `namespace ${name}, because it holds objects of others: ${list(theirs, 5)}`;
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
    paint.bold('To be removed:'),
    ...removal.resources.map((ref) => `  - ${refText(ref)}`),
    ...removal.releases.map(({ name, namespace }) => `  - release ${namespace}/${name}`),
    ...removal.objects.map((ref) => `  - ${refText(ref)}`),
  ];
  const data = [...removal.data, ...removal.namespaces].map(refText);
  if (deleteData) lines.push(...data.map((text) => paint.fail(`  - ${text}`)));
  else if (data.length)
    lines.push(paint.bold('Kept (removed with --delete-data):'), ...data.map((text) => `  = ${text}`));
  return lines.join('\n');
}

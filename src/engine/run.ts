import { releasesIn, type StoredRelease } from '../adapters/helm.ts';
import { hashOf } from '../core/compare.ts';
import { ObsError, messageOf } from '../core/errors.ts';
import { type Hands, applyObjects, applyRelease, applyRemoval, applySecret, wasEdited } from './apply.ts';
import { applyWebhook } from './conversion.ts';
import { applyCrds, refuseForeignCrds } from './crds.ts';
import type { Emit } from './events.ts';
import { removeStale } from './stale.ts';
import { refuseForeign, refuseOldProvided } from './foreign.ts';
import type { Journal, StepRecord } from './journal.ts';
import { whoami } from './journal.ts';
import { inputsOf, observe } from './observe.ts';
import { refuseMissing } from './secretValues.ts';
import type { GateStep, Observation, Step } from './types.ts';

export interface RunContext extends Hands {
  emit: Emit;
  journal: Journal;
  /** Persists the journal as it is when the write begins. */
  save: () => Promise<void>;
  /** Looks, and says in one line what it saw. */
  gate: (step: GateStep, report: (detail: string) => void) => Promise<string>;
  /** Called once the namespace is there, before anything else is changed: takes the lock. */
  enter: () => Promise<void>;
  /** Steps of phases that `--only`, `--from` and `--skip` leave out. */
  excluded: Set<string>;
}

/** What the steps of one run tell each other. */
interface Inside extends RunContext {
  /** Steps whose objects had been edited by hand, or were left in the middle. */
  repaired: Set<string>;
}

export interface RunResult {
  applied: string[];
  unchanged: string[];
}

/**
 * Runs the steps as their needs allow, independent ones side by side. The first failure starts nothing new,
 * lets running steps end, and is thrown then; what is done stays done, the next run carries on from live reality.
 */
export async function run(steps: Step[], context: RunContext): Promise<RunResult> {
  const result: RunResult = { applied: [], unchanged: [] };
  const finished = new Map<string, Promise<void>>();
  let failure: unknown;
  // Read now, so that a cluster that refuses is refused before anything is changed; and again under the lock.
  const namespaces = namespacesIn(steps, context.namespace);
  let releases = await releasesIn(context.kube, namespaces);
  const included = steps.filter((step) => !context.excluded.has(step.id));
  // A chart that cannot be had is told before anything is changed.
  await allOf([
    ...included.flatMap((step) => (step.kind === 'release' ? [context.charts.path(step.chart)] : [])),
    refuseForeign(included, context.kube, context.namespace, releases),
    refuseOldProvided(included, context.kube, releases),
    refuseForeignCrds(included, context),
    refuseMissing(included, context.kube),
  ]);
  const inside: Inside = {
    ...context,
    repaired: new Set(),
    enter: async () => {
      await context.enter();
      releases = await releasesIn(context.kube, namespaces);
    },
  };
  const byId = new Map(steps.map((step) => [step.id, step]));

  const runOne = async (step: Step): Promise<void> => {
    await Promise.all(step.needs.map((id) => launch(id)));
    if (failure !== undefined) return;
    if (context.excluded.has(step.id))
      return context.emit({ type: 'done', id: step.id, result: 'skipped', ms: 0, detail: 'left out by a flag' });
    if (context.signal.aborted) {
      failure ??= new ObsError({ what: 'stopped', exit: 130 });
      return;
    }
    const start = Date.now();
    context.emit({ type: 'start', id: step.id });
    try {
      const { outcome, detail } = await execute(step, inside, releases, result.applied.length > 0);
      (outcome === 'applied' ? result.applied : result.unchanged).push(step.id);
      context.emit({
        type: 'done',
        id: step.id,
        result: outcome,
        ms: Date.now() - start,
        ...(detail ? { detail } : {}),
      });
    } catch (error) {
      failure ??= error;
      if (step.kind !== 'gate' && step.id !== NAMESPACE_STEP) await note(step, context, 'failed').catch(() => {});
      context.emit({ type: 'failed', id: step.id, ms: Date.now() - start, error });
    }
  };
  const launch = (id: string): Promise<void> => {
    const step = byId.get(id);
    if (!step) return Promise.resolve();
    const running = finished.get(id) ?? runOne(step);
    finished.set(id, running);
    return running;
  };
  await Promise.all(steps.map((step) => launch(step.id)));
  if (failure !== undefined) throw failure;
  return result;
}

/** Of several reasons to refuse, the first in this order is told, whichever was seen first. */
async function allOf(looks: Promise<unknown>[]): Promise<void> {
  for (const look of await Promise.allSettled(looks)) if (look.status === 'rejected') throw look.reason;
}

/** The journal and the lock live in the namespace, so this step comes before both. */
export const NAMESPACE_STEP = 'namespace';

type Releases = Map<string, StoredRelease>;

/** Where helm's records of a plan are. */
export function namespacesIn(steps: Step[], home: string): string[] {
  return [
    ...new Set([
      home,
      ...steps.flatMap((step) => (step.kind === 'release' || step.kind === 'removal' ? [step.namespace] : [])),
    ]),
  ];
}

interface Outcome {
  outcome: 'applied' | 'unchanged';
  detail?: string;
}

async function execute(step: Step, context: Inside, releases: Releases, changed: boolean): Promise<Outcome> {
  const report = (detail: string): void => context.emit({ type: 'progress', id: step.id, detail });
  if (step.kind === 'gate') return runGate(step, context, changed, report);
  const seen = await observe(step, { ...context, releases });
  const reread = step.kind === 'release' && (step.rereads ?? []).some((id) => context.repaired.has(id));
  if (step.kind === 'objects' && (wasEdited(seen) || context.journal.steps[step.id]?.state === 'running'))
    context.repaired.add(step.id);
  if (step.id === NAMESPACE_STEP) {
    if (seen.state !== 'done') await act(step, seen, context, report);
    await context.enter();
    await note(step, context, 'done');
    return { outcome: seen.state === 'done' ? 'unchanged' : 'applied' };
  }
  if (seen.state === 'done' && !reread) {
    if (context.journal.steps[step.id]?.state !== 'done' || context.journal.steps[step.id]?.inputs !== inputsOf(step))
      await note(step, context, 'done');
    return { outcome: 'unchanged', ...(seen.detail ? { detail: seen.detail } : {}) };
  }
  await note(step, context, 'running');
  await act(step, seen, context, report, reread);
  await note(step, context, 'done');
  return { outcome: 'applied' };
}

async function act(
  step: Exclude<Step, GateStep>,
  seen: Observation,
  context: Inside,
  report: (detail: string) => void,
  reread = false,
): Promise<void> {
  if (step.kind === 'objects') return applyObjects(step, context, report);
  if (step.kind === 'crds') return applyCrds(step, context, report);
  if (step.kind === 'webhook') return applyWebhook(step, context, report);
  if (step.kind === 'secret') return applySecret(step, context);
  if (step.kind === 'stale') return removeStale(step, context, report);
  if (step.kind === 'removal') return applyRemoval(step, seen, context, report);
  return applyRelease(step, seen, context, report, reread);
}

/** The preflight runs before anything exists; verify is owed until it has passed for exactly these inputs. */
async function runGate(
  step: GateStep,
  context: RunContext,
  changed: boolean,
  report: (detail: string) => void,
): Promise<Outcome> {
  if (step.gate === 'preflight') return { outcome: 'unchanged', detail: await context.gate(step, report) };
  const inputs = hashOf(
    Object.entries(context.journal.steps)
      .filter(([id]) => id !== step.id)
      .map(([id, record]) => `${id} ${record.inputs}`)
      .sort(),
  );
  const last = context.journal.steps[step.id];
  if (!changed && last?.state === 'done' && last.inputs === inputs) return { outcome: 'unchanged' };
  await note(step, context, 'running', inputs);
  try {
    const detail = await context.gate(step, report);
    await note(step, context, 'done', inputs);
    return { outcome: 'applied', detail };
  } catch (error) {
    await note(step, context, 'failed', inputs).catch(() => {});
    throw error;
  }
}

/** Writes one step's record. */
async function note(
  step: Step,
  context: RunContext,
  state: StepRecord['state'],
  inputs = inputsOf(step),
): Promise<void> {
  context.journal.steps[step.id] = { state, inputs, at: new Date().toISOString(), by: whoami() };
  try {
    await context.save();
  } catch (error) {
    throw new ObsError({
      what: 'the journal cannot be written',
      object: `ConfigMap ${context.namespace}/genai-obs-journal`,
      cause: messageOf(error),
      next: 'run the same install again: it carries on',
    });
  }
}

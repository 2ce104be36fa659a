import { releasesIn } from '../adapters/helm.ts';
import { hashOf } from '../core/compare.ts';
import { ObsError, messageOf } from '../core/errors.ts';
import type { Emit } from './events.ts';
import { type Journal, type StepRecord, whoami } from './state/journal.ts';
import { wasEdited } from './steps/compare.ts';
import type { GateStep } from './steps/gate.ts';
import { type Step, apply, chartsOf, inputsOf, namespacesOfRecords, observe, refuse } from './steps/index.ts';
import type { ApplyContext, Observation, Report } from './steps/types.ts';

export interface RunContext extends ApplyContext {
  emit: Emit;
  journal: Journal;
  /** Persists the journal as it is when the write begins. */
  save: () => Promise<void>;
  /** Runs a gate's checks and returns their summary in one line. */
  gate: (step: GateStep, report: Report) => Promise<string>;
  /** Takes the lock: called once the namespace exists, before anything else changes. */
  enter: () => Promise<void>;
  /** Ids of the steps that `--only`, `--from` and `--skip` leave out. */
  excluded: Set<string>;
}

interface Running extends RunContext {
  /** Ids of steps whose objects had been edited by hand or left half applied. */
  repaired: Set<string>;
  result: RunResult;
  /** The first failure: after it no step starts. */
  failure?: unknown;
}

export interface RunResult {
  applied: string[];
  unchanged: string[];
}

/** After the first failure no step starts; it is thrown when running ones end. @throws ObsError @throws KubeError */
export async function run(steps: Step[], context: RunContext): Promise<RunResult> {
  const running = await prepare(steps, context);
  const byId = new Map(steps.map((step) => [step.id, step]));
  const started = new Map<string, Promise<void>>();
  const launch = (id: string): Promise<void> => {
    const step = byId.get(id);
    if (!step) return Promise.resolve();
    const promise = started.get(id) ?? afterNeeds(step);
    started.set(id, promise);
    return promise;
  };
  const afterNeeds = async (step: Step): Promise<void> => {
    await Promise.all(step.needs.map(launch));
    await runStep(step, running);
  };
  await Promise.all(steps.map((step) => launch(step.id)));
  if (running.failure !== undefined) throw running.failure;
  return running.result;
}

/** Reads helm's records, downloads charts and refuses what cannot succeed, before anything changes. */
async function prepare(steps: Step[], context: RunContext): Promise<Running> {
  const namespaces = namespacesOfRecords(steps, context.namespace);
  const running: Running = {
    ...context,
    releases: await releasesIn(context.kube, namespaces),
    repaired: new Set(),
    result: { applied: [], unchanged: [] },
    enter: async () => {
      await context.enter();
      // Another command may have worked here until we got the lock.
      running.releases = await releasesIn(context.kube, namespaces);
    },
  };
  const included = steps.filter((step) => !context.excluded.has(step.id));
  const charts = Promise.all(chartsOf(included).map((chart) => context.charts.path(chart)));
  for (const outcome of await Promise.allSettled([charts, refuse(included, running)]))
    if (outcome.status === 'rejected') throw outcome.reason;
  return running;
}

async function runStep(step: Step, context: Running): Promise<void> {
  const { emit, result } = context;
  const { id } = step;
  if (context.failure !== undefined) return;
  if (context.excluded.has(id))
    return emit({ type: 'done', id, result: 'skipped', ms: 0, detail: 'skipped by a flag' });
  if (context.signal.aborted) {
    context.failure = new ObsError({ what: 'stopped', exit: 130 });
    return;
  }
  const start = Date.now();
  emit({ type: 'start', id });
  try {
    const { outcome, detail } = await execute(step, context);
    result[outcome].push(id);
    emit({ type: 'done', id, result: outcome, ms: Date.now() - start, ...(detail ? { detail } : {}) });
  } catch (error) {
    context.failure ??= error;
    if (step.kind !== 'gate' && id !== NAMESPACE_STEP) await record(step, context, 'failed').catch(() => {});
    emit({ type: 'failed', id, ms: Date.now() - start, error });
  }
}

/** The journal and the lock live in the namespace, so this step precedes both. */
export const NAMESPACE_STEP = 'namespace';

interface Outcome {
  outcome: keyof RunResult;
  detail?: string;
}

async function execute(step: Step, context: Running): Promise<Outcome> {
  const report: Report = (detail) => context.emit({ type: 'progress', id: step.id, detail });
  if (step.kind === 'gate') return runGate(step, context, report);
  const seen = await observe(step, context);
  const restart = step.kind === 'release' && (step.rereads ?? []).some((id) => context.repaired.has(id));
  const last = context.journal.steps[step.id];
  if (step.kind === 'objects' && (wasEdited(seen) || last?.state === 'running')) context.repaired.add(step.id);
  if (step.id === NAMESPACE_STEP) return enterNamespace(step, seen, context, report);
  if (seen.state === 'done' && !restart) {
    if (last?.state !== 'done' || last.inputs !== inputsOf(step)) await record(step, context, 'done');
    return { outcome: 'unchanged', ...(seen.detail ? { detail: seen.detail } : {}) };
  }
  await record(step, context, 'running');
  await apply(step, context, { seen, report, restart });
  await record(step, context, 'done');
  return { outcome: 'applied' };
}

async function enterNamespace(step: Step, seen: Observation, context: Running, report: Report): Promise<Outcome> {
  if (seen.state !== 'done') await apply(step, context, { seen, report, restart: false });
  await context.enter();
  await record(step, context, 'done');
  return { outcome: seen.state === 'done' ? 'unchanged' : 'applied' };
}

/** Preflight runs before anything exists; verify runs until it has passed for exactly these inputs. */
async function runGate(step: GateStep, context: Running, report: Report): Promise<Outcome> {
  if (step.gate === 'preflight') return { outcome: 'unchanged', detail: await context.gate(step, report) };
  const others = Object.entries(context.journal.steps).filter(([id]) => id !== step.id);
  const inputs = hashOf(others.map(([id, { inputs: hash }]) => `${id} ${hash}`).sort());
  const last = context.journal.steps[step.id];
  const changed = context.result.applied.length > 0;
  if (!changed && last?.state === 'done' && last.inputs === inputs) return { outcome: 'unchanged' };
  await record(step, context, 'running', inputs);
  try {
    const detail = await context.gate(step, report);
    await record(step, context, 'done', inputs);
    return { outcome: 'applied', detail };
  } catch (error) {
    await record(step, context, 'failed', inputs).catch(() => {});
    throw error;
  }
}

async function record(
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
      next: 'run install again: it resumes',
    });
  }
}

import pLimit from 'p-limit';
import { releasesIn } from '../adapters/helm.ts';
import { explainKube } from '../adapters/kube.ts';
import { type Session, journalOf, openSession, withCharts } from '../app/session.ts';
import type { Charts } from '../charts/source.ts';
import { EXIT } from '../core/errors.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { type PhaseFlags, excludedSteps } from '../engine/plan/select.ts';
import { type Step, namespacesOfRecords, observe } from '../engine/steps/index.ts';
import { imagesOf } from '../mirror/mirror.ts';
import { checkComplete } from '../parts/cloud.ts';
import type { ConfigFlags } from '../profile/flags.ts';
import { paintStdout } from '../ui/paint.ts';
import { type Observed, budgetText, planJson, planText } from '../ui/plan.ts';
import { configure, draftOf } from './configure.ts';

export interface PlanOptions extends ConfigFlags, PhaseFlags {
  context?: string | undefined;
  json?: boolean | undefined;
  exitCode?: boolean | undefined;
}

/** Each rendered chart costs a helm process. */
const PARALLEL = 4;

/** Compares every step with the live state; changes nothing. @throws ObsError */
export async function observeAll(steps: Step[], session: Session & { charts: Charts }): Promise<Observed> {
  const { kube, namespace } = session;
  try {
    const context = { ...session, releases: await releasesIn(kube, namespacesOfRecords(steps, namespace)) };
    return await pLimit(PARALLEL).map(steps, async (step) => ({
      step,
      seen: await observe(step, context, { diff: true }),
    }));
  } catch (error) {
    throw explainKube(error, kube, 'comparing the plan with the cluster');
  }
}

/** `genai-obs plan`: exit code 0; with --exit-code 3 when something would change. */
export async function plan(options: PlanOptions): Promise<number> {
  const draft = draftOf(options);
  const clients = await openSession({ context: options.context, namespace: options.namespace ?? draft.namespace });
  const { config } = await configure(options, draft, await journalOf(clients), false, clients);
  const session = withCharts(clients, checkComplete(config));
  const steps = buildPlan(config);
  const excluded = excludedSteps(steps, options);
  const included = steps.filter((step) => !excluded.has(step.id));
  const observed = await observeAll(included, session);
  if (options.json) {
    const data = { namespace: config.namespace, context: session.context, steps: planJson(observed) };
    process.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
  } else {
    const budget = budgetText(steps, await imagesOf(steps, session.helm, session.charts));
    process.stdout.write(`${planText(observed, paintStdout())}\n\n${budget}\n`);
  }
  const changes = observed.some(({ step, seen }) => step.kind !== 'gate' && seen.state !== 'done');
  return changes && options.exitCode ? EXIT.check : EXIT.ok;
}

import { type Wires, journalOf, wire, withCharts } from '../app/wire.ts';
import type { Charts } from '../charts/source.ts';
import { explainKube } from '../adapters/kube.ts';
import { releasesIn } from '../adapters/helm.ts';
import { EXIT } from '../core/errors.ts';
import { type Step, namespacesOfRecords, observe } from '../engine/steps/index.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { type PhaseFlags, excludedSteps } from '../engine/plan/select.ts';
import type { ConfigFlags } from '../profile/flags.ts';
import { checkComplete } from '../parts/cloud.ts';
import { resolve } from '../profile/resolve.ts';
import { paintStdout } from '../ui/paint.ts';
import { imagesOf } from '../mirror/mirror.ts';
import { type Observed, budgetText, planJson, planText } from '../ui/plan.ts';
import { layersOf } from './configure.ts';

export interface PlanOptions extends ConfigFlags, PhaseFlags {
  context?: string | undefined;
  json?: boolean | undefined;
  exitCode?: boolean | undefined;
}

/** Looks at every step; changes nothing. Charts are rendered a few at a time: each helm costs a process. */
export async function observeAll(steps: Step[], wires: Wires & { charts: Charts }): Promise<Observed> {
  try {
    const context = { ...wires, releases: await releasesIn(wires.kube, namespacesOfRecords(steps, wires.namespace)) };
    const out: Observed = [];
    for (let i = 0; i < steps.length; i += 4) {
      out.push(
        ...(await Promise.all(
          steps.slice(i, i + 4).map(async (step) => ({ step, seen: await observe(step, context, { diff: true }) })),
        )),
      );
    }
    return out;
  } catch (error) {
    throw explainKube(error, wires.kube, 'comparing the plan with the cluster');
  }
}

/** Exit code 0; with --exit-code 3 when something would change. */
export async function plan(options: PlanOptions): Promise<number> {
  const first = resolve(layersOf(options, undefined));
  const named = options.profile || options.file ? first.namespace : undefined;
  const wires = await wire({ context: options.context, namespace: options.namespace ?? named });
  const journal = await journalOf(wires);
  const config = checkComplete(resolve(layersOf({ ...options, namespace: wires.namespace }, journal)));
  const steps = buildPlan(config);
  const excluded = excludedSteps(steps, options);
  const { charts, ...rest } = withCharts(wires, config);
  const observed = await observeAll(
    steps.filter((step) => !excluded.has(step.id)),
    { ...rest, charts },
  );
  const changes = observed.some(({ step, seen }) => step.kind !== 'gate' && seen.state !== 'done');
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ namespace: config.namespace, context: wires.context, steps: planJson(observed) }, null, 2)}\n`,
    );
  else
    process.stdout.write(
      `${planText(observed, paintStdout())}\n\n${budgetText(steps, await imagesOf(steps, wires.helm, charts))}\n`,
    );
  return changes && options.exitCode ? EXIT.check : EXIT.ok;
}

import type { Wires } from '../app/wire.ts';
import { explainKube } from '../adapters/kube.ts';
import { type Difference, type State, obstacles, stateOf } from '../connect/apply.ts';
import { changeOf, deploymentRef, isInjectionShared, patchDeployment, readDeployment } from '../connect/deployment.ts';
import { type Injection, asksForInjection, readInstrumentation, removeInstrumentation } from '../connect/operator.ts';
import { subsetDiff } from '../core/compare.ts';
import { EXIT, cancelled } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { type KubeObject, refOf, refText } from '../core/types.ts';
import { paint } from '../ui/paint.ts';
import type { ConnectFlags } from './connect.ts';

interface Target {
  namespace: string;
  name: string;
}

interface Plan {
  make: (state: State) => State;
  injection?: Injection;
}

/** `connect … --apply`: shows the change, asks, patches the containers' env or the pod template's annotations. Twice is as once. */
export function apply(wires: Wires, target: Target, flags: ConnectFlags, plan: Plan): Promise<number> {
  const { injection } = plan;
  return work(wires, target, flags, plan.make, async () => {
    if (!injection) return undefined;
    const changes = instrumentationChanges(injection.object, await readInstrumentation(wires.kube, target.namespace));
    return changes.length ? { differences: changes, run: () => wires.kube.apply([injection.object]) } : undefined;
  });
}

/** `connect --remove`: takes exactly that out again, and the Instrumentation with its last user. */
export function remove(wires: Wires, target: Target, flags: ConnectFlags, make: (state: State) => State): Promise<number> {
  return work(wires, target, flags, make, async (deployment) => {
    if (!asksForInjection(stateOf(deployment).annotations) || (await isInjectionShared(wires.kube, deploymentRef(target.namespace, target.name))))
      return undefined;
    const live = await readInstrumentation(wires.kube, target.namespace);
    if (!live) return undefined;
    const gone: Difference = { where: `Instrumentation ${target.namespace}/${live.metadata.name}`, name: 'object', from: 'for the OpenTelemetry operator' };
    return { differences: [gone], run: () => removeInstrumentation(wires.kube, target.namespace) };
  });
}

/** What is done besides the Deployment. It goes first: a run that ends between the two finds the rest still to do. */
interface Companion {
  differences: Difference[];
  run: () => Promise<void>;
}

async function work(
  wires: Wires,
  target: Target,
  flags: ConnectFlags,
  make: (state: State) => State,
  companionOf: (deployment: KubeObject) => Promise<Companion | undefined>,
): Promise<number> {
  const ref = deploymentRef(target.namespace, target.name);
  try {
    const deployment = await readDeployment(wires.kube, ref);
    const change = changeOf(deployment, make);
    const companion = await companionOf(deployment);
    const all = [...(companion?.differences ?? []), ...change.differences];
    const result = { deployment: `${target.namespace}/${target.name}`, changed: change.needed || companion !== undefined, differences: all };
    const say = (text: string): void => void (flags.json ? undefined : process.stderr.write(`${redact(text)}\n`));
    if (result.changed) {
      say(`${refText(ref)}:\n${all.map(line).join('\n')}`);
      for (const text of obstacles(make(stateOf(deployment)))) process.stderr.write(`${paint.warn('note:')} ${redact(text)}\n`);
      await agree(flags);
      await companion?.run();
      if (change.needed) await patchDeployment(wires.kube, ref, change.differences, make);
      say(`${paint.ok('Done.')} Its pods are made anew: kubectl --context ${wires.context} -n ${target.namespace} rollout status deployment/${target.name}`);
    } else say(`${paint.ok('Nothing to do')}: ${refText(ref)} is ${flags.remove ? 'not connected' : 'connected already'}.`);
    if (flags.json) process.stdout.write(`${redact(JSON.stringify(result))}\n`);
    return EXIT.ok;
  } catch (error) {
    // Ctrl-C at the question is no failure of the cluster.
    throw error instanceof Error && error.name.endsWith('PromptError') ? error : explainKube(error, wires.kube, `changing ${refText(ref)}`);
  }
}

async function agree(flags: ConnectFlags): Promise<void> {
  if (flags.yes) return;
  const { confirmOr } = await import('../ui/prompts.ts');
  if (!(await confirmOr('--yes', 'Change it? Its pods are made anew.'))) throw cancelled('nothing was changed', 'add --yes to do it without a question');
}

function instrumentationChanges(wanted: KubeObject, live: KubeObject | undefined): Difference[] {
  const where = refText(refOf(wanted));
  if (!live) return [{ where, name: 'object', to: 'for the OpenTelemetry operator' }];
  return subsetDiff(wanted, live).map(({ path, from, to }) => ({ where, name: path, from, to }));
}

function line({ where, name, from, to }: Difference): string {
  const what = `${where}: ${name}`;
  if (from === undefined) return `  ${paint.ok('+')} ${what} = ${to}`;
  return to === undefined ? `  ${paint.fail('-')} ${what} (${from})` : `  ${paint.warn('~')} ${what}: ${from} → ${to}`;
}

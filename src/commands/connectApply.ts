import type { Wires } from '../app/wire.ts';
import { explainKube } from '../adapters/kube.ts';
import type { Kube } from '../adapters/kube.ts';
import { type Difference, obstacles } from '../connect/patch.ts';
import { type State, mountedSecret, stateOf } from '../connect/state.ts';
import { type Certificate, copyIn, missingCopy } from '../connect/certificate.ts';
import { changeOf, deploymentRef, neighbours, patchDeployment, readDeployment } from '../connect/deployment.ts';
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
  certificate?: Certificate | undefined;
}

/** `connect … --apply`: shows the change, asks, patches the containers' env or the pod template's annotations. Twice is as once. */
export function apply(
  wires: Wires,
  target: Target,
  flags: ConnectFlags,
  { make, injection, certificate }: Plan,
): Promise<number> {
  return work(wires, target, flags, make, async () => [
    ...(certificate ? await copying(wires.kube, certificate, target.namespace) : []),
    ...(injection ? await injecting(wires.kube, injection.object, target.namespace) : []),
  ]);
}

/** The certificate must lie where the pods are. */
async function copying(kube: Kube, certificate: Certificate, namespace: string): Promise<Companion[]> {
  const copy = await missingCopy(kube, certificate, namespace);
  if (!copy) return [];
  const difference = copy.isNew
    ? { name: 'object', to: `copied from namespace ${certificate.from}` }
    : { name: 'data', from: 'a former certificate', to: 'the renewed one' };
  return [
    { differences: [{ where: refText(refOf(copy.object)), ...difference }], run: () => kube.apply([copy.object]) },
  ];
}

async function injecting(kube: Kube, object: KubeObject, namespace: string): Promise<Companion[]> {
  const changes = instrumentationChanges(object, await readInstrumentation(kube, namespace));
  return changes.length ? [{ differences: changes, run: () => kube.apply([object]) }] : [];
}

/** `connect --remove`: takes exactly that out again; the Instrumentation and the copy of the certificate go with their last user. */
export function remove(
  { kube, ...rest }: Wires,
  target: Target,
  flags: ConnectFlags,
  make: (state: State) => State,
): Promise<number> {
  return work({ kube, ...rest }, target, flags, make, async (deployment) => {
    const { namespace, name } = target;
    const state = stateOf(deployment);
    const asks = ({ annotations }: State): boolean => asksForInjection(annotations);
    const live = asks(state) ? await readInstrumentation(kube, namespace) : undefined;
    const secret = mountedSecret(state);
    if (!live && !secret) return [];
    const others = await neighbours(kube, deploymentRef(namespace, name));
    const out: Companion[] = [];
    if (live && !others.some(asks)) {
      const gone: Difference = { where: refText(refOf(live)), name: 'object', from: 'for the OpenTelemetry operator' };
      out.push({ differences: [gone], run: () => removeInstrumentation(kube, namespace) });
    }
    // Whoever mounts it needs it, also by hand and under another name.
    const isShared = others.some(({ volumes }) => volumes.some((volume) => volume.secret?.secretName === secret));
    const copy = secret && !isShared ? await copyIn(kube, secret, namespace) : undefined;
    if (copy)
      out.push({
        differences: [{ where: refText(copy), name: 'object', from: 'a copy of the client certificate' }],
        run: async () => void (await kube.remove(copy)),
      });
    return out;
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
  companionsOf: (deployment: KubeObject) => Promise<Companion[]>,
): Promise<number> {
  const ref = deploymentRef(target.namespace, target.name);
  try {
    const deployment = await readDeployment(wires.kube, ref);
    const change = changeOf(deployment, make);
    const companions = await companionsOf(deployment);
    const all = [...companions.flatMap(({ differences }) => differences), ...change.differences];
    const result = {
      deployment: `${target.namespace}/${target.name}`,
      changed: change.needed || companions.length > 0,
      differences: all,
    };
    const say = (text: string): void => void (flags.json ? undefined : process.stderr.write(`${redact(text)}\n`));
    if (result.changed) {
      say(`${refText(ref)}:\n${all.map(line).join('\n')}`);
      for (const text of obstacles(make(stateOf(deployment))))
        process.stderr.write(`${paint.warn('note:')} ${redact(text)}\n`);
      await agree(flags);
      for (const companion of companions) await companion.run();
      if (change.needed) await patchDeployment(wires.kube, ref, change.differences, make);
      say(
        `${paint.ok('Done.')} Its pods are made anew: kubectl --context ${wires.context} -n ${target.namespace} rollout status deployment/${target.name}`,
      );
    } else
      say(`${paint.ok('Nothing to do')}: ${refText(ref)} is ${flags.remove ? 'not connected' : 'connected already'}.`);
    if (flags.json) process.stdout.write(`${redact(JSON.stringify(result))}\n`);
    return EXIT.ok;
  } catch (error) {
    // Ctrl-C at the question is no failure of the cluster.
    throw error instanceof Error && error.name.endsWith('PromptError')
      ? error
      : explainKube(error, wires.kube, `changing ${refText(ref)}`);
  }
}

async function agree(flags: ConnectFlags): Promise<void> {
  if (flags.yes) return;
  const { confirmOr } = await import('../ui/prompts.ts');
  if (!(await confirmOr('--yes', 'Change it? Its pods are made anew.')))
    throw cancelled('nothing was changed', 'add --yes to do it without a question');
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

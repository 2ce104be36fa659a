import { stringify } from 'yaml';
import { softStop } from '../app/signals.ts';
import { type Wires, journalOf, wire, withCharts } from '../app/wire.ts';
import type { Charts } from '../charts/source.ts';
import { EXIT, ObsError, cancelled } from '../core/errors.ts';
import { explainKube, KubeError } from '../adapters/kube.ts';
import { gatewayEndpoint } from '../parts/collectors/endpoint.ts';
import { version } from '../core/root.ts';
import { refOf } from '../core/types.ts';
import { type Journal, newJournal, oneAtATime, readJournal, writeJournal } from '../engine/state/journal.ts';
import { type Lock, takeLock } from '../engine/state/lock.ts';
import { CLOUD_TOKEN } from '../parts/cloud.ts';
import { planEvent } from '../engine/events.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { run } from '../engine/run.ts';
import { answerFrom } from '../engine/steps/secretValues.ts';
import { type PhaseFlags, excludedSteps } from '../engine/plan/select.ts';
import type { Step } from '../engine/steps/index.ts';
import { type ConfigFlags, secondsOf } from '../profile/flags.ts';
import { checkComplete } from '../parts/cloud.ts';
import { resolve } from '../profile/resolve.ts';
import type { Config } from '../profile/schema.ts';
import { type Drawer, drawer } from '../ui/events.ts';
import { paint } from '../ui/paint.ts';
import { configure, layersOf, saveConfig } from './configure.ts';
import { gates } from './gates.ts';
import { observeAll } from './plan.ts';

export interface InstallOptions extends ConfigFlags, PhaseFlags {
  context?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
  saveConfig?: string | undefined;
  printConfig?: boolean | undefined;
  tokenFile?: string | undefined;
  /** Seconds per workload. */
  timeout: string;
}

export async function install(options: InstallOptions): Promise<number> {
  if (options.printConfig) {
    process.stdout.write(stringify(resolve(layersOf(options, undefined))));
    return EXIT.ok;
  }
  const { timeout } = checkInput(options);
  const { askContext, isInteractive, confirmOr, mustBeInteractive } = await import('../ui/prompts.ts');
  if (!options.yes) mustBeInteractive('--yes');
  const interactive = isInteractive() && !options.yes && !options.json;
  const context = options.context ?? (interactive ? await askContext() : undefined);
  const line = await wire({ context, namespace: options.namespace ?? namespaceOf(options) });
  const journal = await journalOf(line);
  const { config, asked } = await configure({ ...options, namespace: line.namespace }, journal, interactive, line);
  const wires = withCharts(line, checkComplete(config));
  const steps = buildPlan(config);
  const excluded = excludedSteps(steps, options);
  if (options.tokenFile) answerFrom(CLOUD_TOKEN, options.tokenFile);
  if (interactive) await (await import('../ui/secrets.ts')).askMissing(steps, line.kube);
  if (!options.yes) {
    await showPlan(wires, steps, excluded);
    if (!(await confirmOr('--yes', `Install into namespace ${config.namespace} of context ${wires.context}?`)))
      throw cancelled('nothing was changed', 'genai-obs install');
  }
  if (options.saveConfig || asked) {
    const path = options.saveConfig ?? 'genai-obs.yaml';
    saveConfig(path, config);
    process.stderr.write(`Answers written to ${path}; replay them with: genai-obs install -f ${path}\n`);
  }
  return execute({ wires, config, steps, excluded, timeout, json: options.json ?? false, before: journal });
}

/** Everything that can be refused without a cluster. */
function checkInput(options: InstallOptions): { timeout: number } {
  const timeout = secondsOf(options.timeout);
  const config = resolve(layersOf(options, undefined));
  excludedSteps(buildPlan(config), options);
  return { timeout: timeout * 1000 };
}

/** A profile or a file may name its own namespace; a bare install carries on with what is there. */
function namespaceOf(options: InstallOptions): string | undefined {
  return options.profile || options.file ? resolve(layersOf(options, undefined)).namespace : undefined;
}

async function showPlan(wires: Wires & { charts: Charts }, steps: Step[], excluded: Set<string>): Promise<void> {
  const { planText } = await import('../ui/plan.ts');
  const observed = await observeAll(
    steps.filter((step) => !excluded.has(step.id)),
    wires,
  );
  process.stderr.write(`${planText(observed, paint, true)}\n\n`);
}

interface Work {
  wires: Wires & { charts: Charts };
  config: Config;
  steps: Step[];
  excluded: Set<string>;
  timeout: number;
  json: boolean;
  before: Journal | undefined;
}

async function execute(work: Work): Promise<number> {
  const { wires, config, steps } = work;
  const draw = await drawer(work.json);
  const stop = softStop(() =>
    draw.emit({ type: 'notice', detail: 'stopping: what runs is let finish; press Ctrl-C again to stop at once' }),
  );
  const journal = work.before
    ? { ...work.before, config, tool: version() }
    : await newJournal(wires.kube, config, await foundBefore(wires, steps)).catch((error: unknown) =>
        Promise.reject(explainKube(error, wires.kube, 'reading the cluster')),
      );
  let lock: Lock | undefined;
  let lost: ObsError | undefined;
  const { save, saved } = oneAtATime(() => writeJournal(wires.kube, wires.namespace, journal));
  const start = Date.now();
  draw.emit(planEvent(steps));
  try {
    const result = await run(steps, {
      ...wires,
      timeout: work.timeout,
      signal: stop.signal,
      emit: draw.emit,
      journal,
      save,
      excluded: work.excluded,
      gate: gates(wires, config, stop.signal),
      enter: async () => {
        const tell = (detail: string): void => draw.emit({ type: 'progress', id: 'namespace', detail });
        lock = await takeLock(wires.kube, wires.namespace, 'install', tell, (error) => {
          lost = error;
          stop.stop();
        });
        // Another machine may have worked here since we read it: its records count.
        const fresh = await readJournal(wires.kube, wires.namespace);
        if (fresh) Object.assign(journal, { steps: fresh.steps, found: fresh.found });
      },
    });
    await draw.close();
    finish(work, result, Date.now() - start);
    return EXIT.ok;
  } catch (error) {
    await draw.close();
    throw lost ?? explain(error, wires, journal, steps);
  } finally {
    await saved();
    await lock?.release();
    stop.dispose();
  }
}

/** Objects of the plan that are there before us and carry no label of ours: used, never deleted. */
async function foundBefore(wires: Wires, steps: Step[]): Promise<string[]> {
  const namespace = steps
    .flatMap((step) => (step.kind === 'objects' ? step.objects : []))
    .find((object) => object.kind === 'Namespace');
  const live = namespace && (await wires.kube.read(refOf(namespace)));
  return live && live.metadata.labels?.['app.kubernetes.io/managed-by'] !== 'genai-obs'
    ? [`Namespace ${live.metadata.name}`]
    : [];
}

/** Where applications send to; a profile without a gateway has no such place. */
function entry(config: Config): string[] {
  if (!config['opentelemetry-collector'].enabled && !config['k8s-monitoring'].enabled) return [];
  const { grpc, 'http/protobuf': http } = gatewayEndpoint(config);
  return [
    `  send OTLP    ${http} (gRPC: port ${new URL(grpc).port})${http.startsWith('https:') ? ', with a client certificate' : ''}`,
  ];
}

function finish(work: Work, result: { applied: string[]; unchanged: string[] }, ms: number): void {
  const { namespace } = work.wires;
  const flag = namespace === 'genai-observability' ? '' : ` --namespace ${namespace}`;
  if (work.json) {
    process.stdout.write(
      `${JSON.stringify({ time: new Date().toISOString(), type: 'result', applied: result.applied, unchanged: result.unchanged, ms })}\n`,
    );
    return;
  }
  const seconds = (ms / 1000).toFixed(1);
  if (result.applied.length === 0) {
    process.stderr.write(`\n${paint.ok('Nothing to do')}: the cluster is as the configuration says (${seconds} s).\n`);
    return;
  }
  process.stderr.write(
    [
      '',
      `${paint.ok('Done')} in ${seconds} s: ${result.applied.length} steps applied, ${result.unchanged.length} were right already.`,
      '',
      ...(work.config.grafana.enabled ? [`  Grafana      genai-obs open${flag}`] : []),
      ...entry(work.config),
      `  check        genai-obs doctor --probe${flag}`,
      `  back up      genai-obs backup --output DIR${flag}`,
      `  remove       genai-obs uninstall${flag}`,
      '',
    ].join('\n'),
  );
}

/** Where it stands and how to go on. */
function explain(error: unknown, wires: Wires, journal: Journal, steps: Step[]): unknown {
  const done = steps.filter((step) => journal.steps[step.id]?.state === 'done').length;
  if (error instanceof KubeError) return explainKube(error, wires.kube, 'installing');
  if (error instanceof ObsError && error.exit === EXIT.cancelled) {
    return cancelled(
      `stopped: ${done} of ${steps.length} steps are done${error.parts.object ? `, the last one waited for ${error.parts.object}` : ''}`,
      'run the same install again: it carries on from here; or genai-obs uninstall',
    );
  }
  return error;
}

export type { Drawer };

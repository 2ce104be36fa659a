import { explainKube, KubeError } from '../adapters/kube.ts';
import { type Session, journalOf, openSession, withCharts } from '../app/session.ts';
import { softStop } from '../app/signals.ts';
import type { Charts } from '../charts/source.ts';
import { EXIT, ObsError, cancelled } from '../core/errors.ts';
import { version } from '../core/root.ts';
import { refOf } from '../core/types.ts';
import { planEvent } from '../engine/events.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { type PhaseFlags, checkPhases, excludedSteps } from '../engine/plan/select.ts';
import { type RunResult, run } from '../engine/run.ts';
import { type Journal, newJournal, oneAtATime, readJournal, writeJournal } from '../engine/state/journal.ts';
import { type Lock, takeLock } from '../engine/state/lock.ts';
import { type Step, objectsOf } from '../engine/steps/index.ts';
import { answerFrom } from '../engine/steps/secretValues.ts';
import { CLOUD_TOKEN, checkComplete } from '../parts/cloud.ts';
import { gatewayEndpoint } from '../parts/collectors/endpoint.ts';
import { type ConfigFlags, secondsOf } from '../profile/flags.ts';
import type { Config } from '../profile/schema.ts';
import { drawer } from '../ui/drawers.ts';
import { paint } from '../ui/paint.ts';
import { configText, configure, draftOf, saveConfig } from './configure.ts';
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

/** `genai-obs install`: refuses bad input, connects, prompts, shows the plan and runs it. */
export async function install(options: InstallOptions): Promise<number> {
  // Everything that can be refused without a cluster comes first.
  const draft = draftOf(options);
  if (options.printConfig) {
    process.stdout.write(configText(draft.config));
    return EXIT.ok;
  }
  const timeout = secondsOf(options.timeout) * 1000;
  checkPhases(options);
  const { askMissing, isInteractive, confirmOr, mustBeInteractive } = await import('../ui/prompts.ts');
  if (!options.yes) mustBeInteractive('--yes');
  const interactive = isInteractive() && !options.yes && !options.json;
  const context = options.context ?? (interactive ? await (await import('../ui/wizard.ts')).askContext() : undefined);
  const clients = await openSession({ context, namespace: options.namespace ?? draft.namespace });
  const journal = await journalOf(clients);
  const { config, asked } = await configure(options, draft, journal, interactive, clients);
  const session = withCharts(clients, checkComplete(config));
  const steps = buildPlan(config);
  const excluded = excludedSteps(steps, options);
  if (options.tokenFile) answerFrom(CLOUD_TOKEN, options.tokenFile);
  if (interactive) await askMissing(steps, session.kube);
  if (!options.yes) {
    await showPlan(session, steps, excluded);
    if (!(await confirmOr('--yes', `Install into namespace ${config.namespace} of context ${session.context}?`)))
      throw cancelled('nothing was changed', 'genai-obs install');
  }
  if (options.saveConfig || asked) {
    const path = options.saveConfig ?? 'genai-obs.yaml';
    saveConfig(path, config);
    process.stderr.write(`Configuration written to ${path}; to repeat it: genai-obs install -f ${path}\n`);
  }
  return execute({ session, config, steps, excluded, timeout, json: options.json ?? false, before: journal });
}

async function showPlan(session: Session & { charts: Charts }, steps: Step[], excluded: Set<string>): Promise<void> {
  const { planText } = await import('../ui/plan.ts');
  const observed = await observeAll(
    steps.filter((step) => !excluded.has(step.id)),
    session,
  );
  process.stderr.write(`${planText(observed, paint, true)}\n\n`);
}

interface Work {
  session: Session & { charts: Charts };
  config: Config;
  steps: Step[];
  excluded: Set<string>;
  /** Milliseconds per workload. */
  timeout: number;
  json: boolean;
  before: Journal | undefined;
}

async function execute(work: Work): Promise<number> {
  const { session, config, steps } = work;
  const { kube, namespace } = session;
  const draw = await drawer(work.json);
  const stop = softStop(() =>
    draw.emit({ type: 'notice', detail: 'stopping after the running steps; press Ctrl-C again to stop at once' }),
  );
  const journal = await journalFor(work);
  let lock: Lock | undefined;
  let lost: ObsError | undefined;
  const { save, saved } = oneAtATime(() => writeJournal(kube, namespace, journal));
  const enter = async (): Promise<void> => {
    const report = (detail: string): void => draw.emit({ type: 'progress', id: 'namespace', detail });
    lock = await takeLock(kube, namespace, 'install', report, (error) => {
      lost = error;
      stop.stop();
    });
    // Another machine may have worked here since we read the journal.
    const fresh = await readJournal(kube, namespace);
    if (fresh) Object.assign(journal, { steps: fresh.steps, found: fresh.found });
  };
  const start = Date.now();
  draw.emit(planEvent(steps));
  try {
    const result = await run(steps, {
      ...session,
      timeout: work.timeout,
      signal: stop.signal,
      emit: draw.emit,
      journal,
      save,
      excluded: work.excluded,
      gate: gates(session, config, stop.signal),
      enter,
    });
    await draw.close();
    finish(work, result, Date.now() - start);
    return EXIT.ok;
  } catch (error) {
    await draw.close();
    throw lost ?? explain(error, session, journal, steps);
  } finally {
    await saved();
    await lock?.release();
    stop.dispose();
  }
}

async function journalFor({ session: { kube }, config, steps, before }: Work): Promise<Journal> {
  if (before) return { ...before, config, tool: version() };
  try {
    return await newJournal(kube, config, await foundBefore(kube, steps));
  } catch (error) {
    throw explainKube(error, kube, 'reading the cluster');
  }
}

/** The namespace, when genai-obs did not create it: used, never deleted. */
async function foundBefore(kube: Session['kube'], steps: Step[]): Promise<string[]> {
  const namespace = objectsOf(steps).find((object) => object.kind === 'Namespace');
  const live = namespace && (await kube.read(refOf(namespace)));
  const isForeign = live && live.metadata.labels?.['app.kubernetes.io/managed-by'] !== 'genai-obs';
  return isForeign ? [`Namespace ${live.metadata.name}`] : [];
}

function finish(work: Work, result: RunResult, ms: number): void {
  const { applied, unchanged } = result;
  if (work.json) {
    const event = { time: new Date().toISOString(), type: 'result', applied, unchanged, ms };
    process.stdout.write(`${JSON.stringify(event)}\n`);
    return;
  }
  const { namespace } = work.session;
  const flag = namespace === 'genai-observability' ? '' : ` --namespace ${namespace}`;
  const seconds = (ms / 1000).toFixed(1);
  if (applied.length === 0) {
    process.stderr.write(`\n${paint.ok('Nothing to do')}: the cluster matches the configuration (${seconds} s).\n`);
    return;
  }
  const lines = [
    '',
    `${paint.ok('Done')} in ${seconds} s: ${applied.length} steps applied, ${unchanged.length} unchanged.`,
    '',
    ...(work.config.grafana.enabled ? [`  Grafana      genai-obs open${flag}`] : []),
    ...endpointLine(work.config),
    `  check        genai-obs doctor --probe${flag}`,
    `  back up      genai-obs backup --output DIR${flag}`,
    `  remove       genai-obs uninstall${flag}`,
    '',
  ];
  process.stderr.write(lines.join('\n'));
}

/** Where applications send telemetry; a profile without a gateway has no such endpoint. */
function endpointLine(config: Config): string[] {
  if (!config['opentelemetry-collector'].enabled && !config['k8s-monitoring'].enabled) return [];
  const { grpc, 'http/protobuf': http } = gatewayEndpoint(config);
  const tls = http.startsWith('https:') ? ', with a client certificate' : '';
  return [`  send OTLP    ${http} (gRPC: port ${new URL(grpc).port})${tls}`];
}

/** Adds how far the installation got and how to resume it. */
function explain(error: unknown, session: Session, journal: Journal, steps: Step[]): unknown {
  if (error instanceof KubeError) return explainKube(error, session.kube, 'installing');
  if (!(error instanceof ObsError) || error.exit !== EXIT.cancelled) return error;
  const done = steps.filter((step) => journal.steps[step.id]?.state === 'done').length;
  const last = error.parts.object ? `, the last one waited for ${error.parts.object}` : '';
  return cancelled(
    `stopped: ${done} of ${steps.length} steps are done${last}`,
    'run install again: it resumes; or genai-obs uninstall',
  );
}

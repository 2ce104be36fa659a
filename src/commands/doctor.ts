import { explainKube, KubeError } from '../adapters/kube.ts';
import { journalOf, openSession } from '../app/session.ts';
import { softStop } from '../app/signals.ts';
import { CHECKS } from '../checks/index.ts';
import type { Finding } from '../checks/lib/check.ts';
import type { FactMap } from '../checks/lib/facts.ts';
import type { ProbeResult } from '../checks/lib/values.ts';
import { version } from '../core/assets.ts';
import { EXIT, cancelled, usageError } from '../core/errors.ts';
import type { Paint } from '../core/text.ts';
import { junit } from '../doctor/report/junit.ts';
import { exitCodeOf, json, type Report, short, summarise } from '../doctor/report/report.ts';
import { table } from '../doctor/report/table.ts';
import { diagnose, select, type Stage } from '../doctor/run.ts';
import { loadFacts, saveFacts } from '../doctor/saved.ts';
import { type DoctorSession, examine } from '../doctor/stage.ts';
import { profileLayer } from '../profile/layers.ts';
import { resolve } from '../profile/resolve.ts';
import type { Config } from '../profile/schema.ts';
import { paintStdout } from '../ui/paint.ts';
import { layersOf } from './configure.ts';

export type Format = 'table' | 'short' | 'json' | 'junit';

export interface DoctorOptions {
  context?: string | undefined;
  namespace?: string | undefined;
  /** With `file`: the expected configuration, instead of the journal's. For stacks that others installed. */
  profile?: string | undefined;
  file?: string[] | undefined;
  stage?: Stage | undefined;
  probe?: boolean | undefined;
  only?: string[] | undefined;
  skip?: string[] | undefined;
  output?: Format | undefined;
  json?: boolean | undefined;
  strict?: boolean | undefined;
  verbose?: boolean | undefined;
  /** Facts file to judge instead of a cluster. */
  from?: string | undefined;
  saveFacts?: string | undefined;
  /** Earlier facts file that MNT-06 compares with. */
  baseline?: string | undefined;
}

/** Where the report goes: data to `out`, progress to `err`. */
export interface Output {
  out: (text: string) => void;
  err: (text: string) => void;
  paint: Paint;
  width?: number;
}

/** `genai-obs doctor`. Exit code 0; 3 when a check failed or could not check; 4 for warnings with --strict. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const live = process.stderr.isTTY === true;
  const output: Output = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void (live && process.stderr.write(`\r\u001b[K${text.slice(0, 79)}`)),
    paint: paintStdout(),
    ...(process.stdout.isTTY ? { width: Math.min(120, process.stdout.columns) } : {}),
  };
  // Refuses bad ids before it connects.
  select(CHECKS, chosen(options));
  const baseline = options.baseline ? loadFacts(options.baseline).facts : undefined;
  if (options.from) return replay(options, output);
  const wanted = options.profile || options.file?.length ? resolve(layersOf(options, undefined)) : undefined;
  const stop = softStop(() => output.err('stopping after the probe has cleaned up'));
  try {
    const session = await openSession({ context: options.context, namespace: wanted?.namespace ?? options.namespace });
    const config = wanted ?? (await configOf(session));
    return await runDoctor(
      { ...output, session, config, signal: stop.signal, ...(baseline ? { baseline } : {}) },
      options,
    );
  } finally {
    stop.dispose();
  }
}

/** The configuration of the installation; without one, the quickstart profile. */
async function configOf(session: Parameters<typeof journalOf>[0]): Promise<Config> {
  const preset = () =>
    resolve([profileLayer('quickstart'), { source: '--namespace', data: { namespace: session.namespace } }]);
  try {
    return (await journalOf(session))?.config ?? preset();
  } catch (error) {
    // A cluster that does not answer is a finding, not an error of the command.
    if (error instanceof Error && /does not answer|refuses the credentials|not allowed/.test(error.message))
      return preset();
    throw error instanceof KubeError ? explainKube(error, session.kube, 'reading the journal') : error;
  }
}

export interface DoctorDeps extends Output {
  session: DoctorSession;
  config: Config;
  baseline?: FactMap;
  signal?: AbortSignal;
}

/** Checks a cluster and writes the report; returns the exit code. */
export async function runDoctor(deps: DoctorDeps, options: DoctorOptions): Promise<number> {
  const { session, config } = deps;
  const started = Date.now();
  const { findings, facts } = await examine(session, config, options.stage ?? 'stack', {
    ...chosen(options),
    baseline: deps.baseline,
    report: deps.err,
    ...(deps.signal ? { signal: deps.signal } : {}),
  });
  deps.err('');
  if (options.saveFacts)
    saveFacts(options.saveFacts, {
      schemaVersion: 1,
      tool: version(),
      context: session.context,
      takenAt: new Date(started).toISOString(),
      probe: options.probe === true,
      config,
      facts,
    });
  if (deps.signal?.aborted) throw cancelled('the doctor was stopped', 'genai-obs doctor');
  return write(deps, options, {
    findings,
    facts,
    config,
    context: session.context,
    startedAt: new Date(started).toISOString(),
    ms: Date.now() - started,
  });
}

/** Judges saved facts, without a cluster. */
function replay(options: DoctorOptions, output: Output): number {
  const others = {
    '--save-facts': options.saveFacts,
    '--baseline': options.baseline,
    '--profile': options.profile,
    '--file': options.file,
  };
  for (const [flag, value] of Object.entries(others))
    if (value) throw usageError(`--from and ${flag} exclude each other`);
  const saved = loadFacts(options.from ?? '');
  const started = Date.now();
  const selection = { ...chosen(options), stage: options.stage ?? 'stack', probe: saved.probe, context: saved.context };
  const findings = diagnose(saved.facts, saved.config, CHECKS, selection);
  return write(output, options, {
    findings,
    facts: saved.facts,
    config: saved.config,
    context: saved.context,
    startedAt: saved.takenAt,
    ms: Date.now() - started,
  });
}

function chosen({ probe = false, only, skip, stage }: DoctorOptions): {
  probe: boolean;
  only?: string[];
  skip?: string[];
  stage?: Stage;
} {
  return { probe, ...(only?.length ? { only } : {}), ...(skip?.length ? { skip } : {}), ...(stage ? { stage } : {}) };
}

interface Outcome {
  findings: Finding[];
  facts: FactMap;
  config: Config;
  context: string;
  startedAt: string;
  ms: number;
}

function write(
  output: Output,
  options: DoctorOptions,
  { findings, facts, config, context, startedAt, ms }: Outcome,
): number {
  const exitCode = exitCodeOf(findings, options.strict ?? false);
  const probe = facts['probe:result'];
  const report: Report = {
    schemaVersion: 1,
    tool: { name: 'genai-obs', version: version() },
    context,
    namespace: config.namespace,
    profile: config.profile,
    startedAt,
    ms,
    exitCode,
    summary: summarise(findings),
    findings,
    ...(probe?.ok ? { probe: probe.value as ProbeResult } : {}),
  };
  output.out(render(report, options, output));
  return exitCode satisfies (typeof EXIT)[keyof typeof EXIT];
}

function render(report: Report, { output, json: asJson, verbose = false }: DoctorOptions, to: Output): string {
  switch (asJson ? 'json' : (output ?? 'table')) {
    case 'json':
      return json(report);
    case 'junit':
      return junit(report);
    case 'short':
      return short(report);
    case 'table':
      return table(report, to.paint, { verbose, ...(to.width ? { width: to.width } : {}) });
  }
}

import { traceStore } from '../../parts/addresses.ts';
import type { PlacedId } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';
import { type FactKey, type Facts, keysFor, type Reads } from './facts.ts';

/** `unknown`: the check could not read a fact; never ok. `skip`: does not apply. `blocked`: consequence of another. */
export type Status = 'ok' | 'warn' | 'fail' | 'unknown' | 'skip' | 'blocked';
/** preflight: needs no installed stack; stack: reads the running stack; probe: needs --probe. */
export type Stage = 'preflight' | 'stack' | 'probe';

/** The result of a check: `ok('3 of 3 ready')`, `fail('0 of 1 ready', {cause, fix, object})`. */
export interface Verdict {
  status: 'ok' | 'warn' | 'fail' | 'skip';
  /** What was seen, one line: numbers and objects, never a secret. */
  evidence: string;
  /** The likely cause; for warn and fail. */
  cause?: string;
  /** The command or action that fixes it; for warn and fail. */
  fix?: string;
  /** The object that it is about, `Kind namespace/name`. */
  object?: string;
}

/** A verdict as it is reported. */
export interface Finding extends Omit<Verdict, 'status'> {
  id: string;
  title: string;
  /** Id of its area, such as `LOKI`. */
  area: string;
  status: Status;
  /** With status blocked: the check whose finding explains this one. */
  blockedBy?: string;
  /** Anchor in docs/checks.md. */
  docs: string;
}

export interface Check {
  /** Stable, such as `LOKI-02`. */
  id: string;
  title: string;
  /** Id of its area, such as `LOKI`. */
  area: string;
  stage: Stage;
  /** What it measures, what ok, warn and fail mean, and what to do: the text of docs/checks.md. */
  about: string;
  /** Requirements that the check covers; see docs/fixes.md. */
  sources: string;
  /** Every fact that `run` reads; reading another one is a programming error. */
  reads: (config: Config) => FactKey[];
  /** Checks whose failure explains a failure of this one. */
  dependsOn?: string[];
  /** A reason why the check does not apply, or undefined when it does. */
  skipIf?: (config: Config) => string | undefined;
  run: (facts: Facts) => Verdict;
}

/** A check without what its area gives it. */
export interface Spec extends Pick<Check, 'about' | 'sources' | 'dependsOn' | 'skipIf' | 'run'> {
  /** Where it differs from the stage of its area. */
  stage?: Stage;
  reads?: Reads;
  /** Components without which the check does not apply. */
  needs?: PlacedId[];
}

/** A subject of the doctor. Register it in src/checks/index.ts. */
export interface Area {
  /** Prefix of the ids of its checks. */
  id: string;
  title: string;
  /** Introduction in docs/checks.md. */
  about: string;
  checks: Check[];
}

/** Defines the checks of an area: `const loki = checksOf('LOKI')`, then `loki('01', 'Loki is ready', {…})`. */
export function checksOf(area: string, stage: Stage = 'stack') {
  return (number: string, title: string, { reads = [], needs = [], skipIf, ...spec }: Spec): Check => ({
    id: `${area}-${number}`,
    title,
    area,
    stage,
    ...spec,
    reads: (config) => keysFor(config, reads),
    skipIf: (config) => disabled(config, needs) ?? skipIf?.(config),
  });
}

function disabled(config: Config, needs: PlacedId[]): string | undefined {
  const off = needs.find((id) => !config[id].enabled);
  const instead =
    off === 'tempo' && traceStore(config) === 'jaeger' ? ': Jaeger stores the traces, see JAEG-01 to JAEG-06' : '';
  return off && `${off}.enabled is false${instead}`;
}

/** Why a check of traces does not apply, when no component stores them. */
export function noTraces(config: Config): string | undefined {
  return traceStore(config) ? undefined : 'tempo.enabled and jaeger.enabled are false';
}

/** For a check that never applies to the profile; it stays listed, with the reason. */
export function notHere(reason: string | ((config: Config) => string)): Pick<Spec, 'skipIf' | 'run'> {
  const why = (config: Config) => (typeof reason === 'string' ? reason : reason(config));
  return { skipIf: why, run: ({ config }) => skip(why(config)) };
}

type Trouble = Omit<Verdict, 'status' | 'evidence'> & { cause: string; fix: string };

export function ok(evidence: string): Verdict {
  return { status: 'ok', evidence };
}
export function warn(evidence: string, more: Trouble): Verdict {
  return { status: 'warn', evidence, ...more };
}
export function fail(evidence: string, more: Trouble): Verdict {
  return { status: 'fail', evidence, ...more };
}
export function skip(reason: string): Verdict {
  return { status: 'skip', evidence: reason };
}

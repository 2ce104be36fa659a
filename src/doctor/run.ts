import type { Check, Finding, Verdict } from '../checks/lib/check.ts';
import { type FactKey, type FactMap, type Facts, factsFrom, FactUnavailable } from '../checks/lib/facts.ts';
import { messageOf, usageError } from '../core/errors.ts';
import type { Config } from '../profile/schema.ts';
import { arrange, causesOf, rootOf } from './causes.ts';

export type Stage = 'preflight' | 'stack';

export interface Selection {
  /** `preflight`: checks that need no stack; `stack` (default): all, because the cluster explains faults in it. */
  stage?: Stage;
  /** Also the checks of the probe. */
  probe?: boolean;
  /** Ids (`LOKI-02`) or areas (`LOKI`); other checks do not run. */
  only?: string[];
  /** Ids or areas; reported as skipped. */
  skip?: string[];
}

export interface DiagnoseOptions extends Selection {
  /** Context in fix commands; without it they use the current context of the kubeconfig. */
  context?: string;
}

/** A check read a fact that it does not declare: a programming error, not a finding. */
export class UndeclaredFact extends Error {
  constructor(id: string, key: FactKey) {
    super(`check ${id} reads the fact "${key}" without declaring it in reads()`);
    this.name = 'UndeclaredFact';
  }
}

/** The checks of a run; `not` is why one does not run. @throws usage error for an unknown id */
export function select(checks: Check[], selection: Selection): { check: Check; not?: string }[] {
  const only = named(checks, '--only', selection.only);
  const skip = named(checks, '--skip', selection.skip);
  return checks
    .filter((check) => (only ? only.has(check.id) : inStage(check, selection)))
    .map((check) => {
      if (skip?.has(check.id)) return { check, not: 'skipped by --skip' };
      if (check.stage === 'probe' && !selection.probe)
        return { check, not: 'runs only with --probe, which sends a trace, a metric and a log' };
      return { check };
    });
}

function inStage(check: Check, { stage }: Selection): boolean {
  // Checks of the probe are listed as skipped, so that users learn of --probe.
  return stage === 'preflight' ? check.stage === 'preflight' : true;
}

function named(checks: Check[], flag: string, names: string[] | undefined): Set<string> | undefined {
  if (!names?.length) return undefined;
  const found = new Set<string>();
  for (const name of names) {
    const wanted = name.trim().toUpperCase();
    const hits = checks.filter((check) => check.id === wanted || check.area === wanted);
    if (hits.length === 0) {
      const areas = [...new Set(checks.map((check) => check.area))].join(', ');
      throw usageError(
        `there is no check ${JSON.stringify(name)} (${flag})`,
        'genai-obs doctor --verbose lists all ids; docs/checks.md explains them',
        `known areas: ${areas}`,
      );
    }
    for (const check of hits) found.add(check.id);
  }
  return found;
}

/** Every fact that the selected checks read, each once. */
export function factKeys(checks: Check[], config: Config, selection: Selection): FactKey[] {
  const keys = new Set<FactKey>();
  for (const { check, not } of select(checks, selection)) {
    if (not === undefined && check.skipIf?.(config) === undefined) for (const key of check.reads(config)) keys.add(key);
  }
  return [...keys];
}

/** Judges facts; causes come first. Pure: the same facts give the same findings on any machine. */
export function diagnose(facts: FactMap, config: Config, checks: Check[], options: DiagnoseOptions = {}): Finding[] {
  const selected = select(checks, options);
  const findings = new Map<string, Finding>();
  for (const { check, not } of selected) {
    const verdict =
      not === undefined ? judge(check, facts, config, options.context) : { status: 'skip' as const, evidence: not };
    findings.set(check.id, { id: check.id, title: check.title, area: check.area, ...verdict, docs: docsOf(check.id) });
  }
  const causes = causesOf(checks, config);
  const folded = [...findings.values()].map((finding): Finding => {
    const explained = finding.status === 'fail' || finding.status === 'unknown' || finding.status === 'warn';
    const root = explained ? rootOf(finding.id, causes, findings, config) : undefined;
    return root ? { ...finding, status: 'blocked', blockedBy: root } : finding;
  });
  return arrange(folded, causes);
}

export function docsOf(id: string): string {
  return `docs/checks.md#${id.toLowerCase()}`;
}

type Judgement = Omit<Verdict, 'status'> & { status: Verdict['status'] | 'unknown' };

/** One check on its own: its verdict, or why it is unknown. */
export function judge(check: Check, facts: FactMap, config: Config, context?: string): Judgement {
  const reason = check.skipIf?.(config);
  if (reason !== undefined) return { status: 'skip', evidence: reason };
  try {
    return check.run(factsFor(check, facts, config, context));
  } catch (error) {
    if (error instanceof UndeclaredFact) throw error;
    // A response that a check cannot read must neither end the run nor pass.
    const reason =
      error instanceof FactUnavailable ? error.message : `unexpected response format (${messageOf(error)})`;
    return { status: 'unknown', evidence: `could not check: ${reason}` };
  }
}

/** Facts for one check: only those that it declares, and frozen, because all checks share them. */
function factsFor(check: Check, map: FactMap, config: Config, context: string | undefined): Facts {
  const declared = new Set(check.reads(config));
  const read = (key: FactKey): unknown => {
    if (!declared.has(key)) throw new UndeclaredFact(check.id, key);
    const found = map[key];
    if (!found) throw new FactUnavailable(`${key} was not collected`);
    if (!found.ok) throw new FactUnavailable(`${key}: ${found.error}`);
    return frozen(found.value);
  };
  return factsFrom(config, read, context);
}

function frozen(value: unknown): unknown {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) frozen(item);
  }
  return value;
}

import type { Finding } from '../checks/lib/check.ts';
import type { FactMap } from '../checks/lib/facts.ts';
import { exec } from '../adapters/exec.ts';
import type { Helm } from '../adapters/helm.ts';
import type { Kube } from '../adapters/kube.ts';
import type { Kubectl } from '../adapters/kubectl.ts';
import { CHECKS } from '../checks/index.ts';
import type { Config } from '../profile/schema.ts';
import { driftOf } from './drift.ts';
import { collectFacts } from './facts/index.ts';
import { diagnose, factKeys, type Stage } from './run.ts';

export interface DoctorSession {
  kube: Kube;
  helm: Helm;
  kubectl: Kubectl;
  context: string;
  namespace: string;
}

export interface StageOptions {
  probe?: boolean;
  only?: string[] | undefined;
  skip?: string[] | undefined;
  /** Facts of an earlier run, to compare with. */
  baseline?: FactMap | undefined;
  signal?: AbortSignal;
  /** Gets one line of progress. */
  report?: (detail: string) => void;
}

export interface Examination {
  findings: Finding[];
  facts: FactMap;
}

/** Collects the facts that the checks of a stage read, and judges them. */
export async function examine(
  session: DoctorSession,
  config: Config,
  stage: Stage,
  options: StageOptions = {},
): Promise<Examination> {
  const { probe = false, only, skip, baseline, signal, report } = options;
  const selection = { stage, probe, context: session.context, ...(only ? { only } : {}), ...(skip ? { skip } : {}) };
  // First, so that an unknown id fails before the cluster is read.
  const keys = factKeys(CHECKS, config, selection);
  const facts = await collectFacts([...keys, 'time:now'], {
    kube: session.kube,
    kubectl: session.kubectl,
    exec,
    config,
    drift: () => driftOf(session, config),
    onFact: (key, done, total) => report?.(`collected ${done} of ${total} facts: ${key.slice(0, 60)}`),
    onProbe: (text) => report?.(`probe: ${text}`),
    ...(baseline ? { baseline } : {}),
    ...(signal ? { signal } : {}),
  });
  return { facts, findings: diagnose(facts, config, CHECKS, selection) };
}

/** The findings alone, for the installer's gates. */
export async function runStage(
  session: DoctorSession,
  config: Config,
  stage: Stage,
  options: StageOptions = {},
): Promise<Finding[]> {
  return (await examine(session, config, stage, options)).findings;
}

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
  /** FactMap of an earlier day, to compare with. */
  baseline?: FactMap | undefined;
  signal?: AbortSignal;
  /** One line about what is done right now. */
  report?: (detail: string) => void;
}

export interface Examination {
  findings: Finding[];
  facts: FactMap;
}

/** Collects what the checks of a stage need and judges it: the doctor for other commands. */
export async function examine(
  session: DoctorSession,
  config: Config,
  stage: Stage,
  options: StageOptions = {},
): Promise<Examination> {
  const { probe = false, only, skip, baseline, signal, report } = options;
  const selection = { stage, probe, context: session.context, ...(only ? { only } : {}), ...(skip ? { skip } : {}) };
  // Looked up first: an unknown id is refused before anything is asked.
  const keys = factKeys(CHECKS, config, selection);
  const facts = await collectFacts([...keys, 'time:now'], {
    kube: session.kube,
    kubectl: session.kubectl,
    exec,
    config,
    drift: () => driftOf(session, config),
    onFact: (key, done, total) => report?.(`looked at ${done} of ${total}: ${key.slice(0, 60)}`),
    onProbe: (text) => report?.(`probe: ${text}`),
    ...(baseline ? { baseline } : {}),
    ...(signal ? { signal } : {}),
  });
  return { facts, findings: diagnose(facts, config, CHECKS, selection) };
}

/** The findings alone; what the installer's gates ask for. */
export async function runStage(
  session: DoctorSession,
  config: Config,
  stage: Stage,
  options: StageOptions = {},
): Promise<Finding[]> {
  return (await examine(session, config, stage, options)).findings;
}

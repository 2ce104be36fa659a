import type { EngineEvent } from '../../../src/engine/events.ts';
import { type Journal, newJournal, writeJournal } from '../../../src/engine/state/journal.ts';
import { type RunContext, type RunResult, run } from '../../../src/engine/run.ts';
import type { GateStep } from '../../../src/engine/steps/gate.ts';
import type { Step } from '../../../src/engine/steps/index.ts';
import type { Config } from '../../../src/profile/schema.ts';
import { type FakeCluster, NS } from './cluster.ts';

export interface Session {
  events: EngineEvent[];
  journal: Journal;
  controller: AbortController;
  result: Promise<RunResult>;
  /** IDs of steps with an event of this type. */
  of: (type: EngineEvent['type']) => string[];
}

export interface SessionOptions {
  journal?: Journal;
  excluded?: Iterable<string>;
  gate?: (step: GateStep) => Promise<unknown>;
  timeout?: number;
  onEvent?: (event: EngineEvent, controller: AbortController) => void;
  context?: Partial<RunContext>;
}

/** Runs the engine on a fake cluster that holds the journal. */
export async function session(
  cluster: FakeCluster,
  config: Config,
  steps: Step[],
  options: SessionOptions = {},
): Promise<Session> {
  const events: EngineEvent[] = [];
  const controller = new AbortController();
  const journal = options.journal ?? (await newJournal(cluster.kube, config, []));
  const result = run(steps, {
    kube: cluster.kube,
    helm: cluster.helm,
    kubectl: cluster.kubectl,
    charts: cluster.charts,
    namespace: NS,
    timeout: options.timeout ?? 5_000,
    signal: controller.signal,
    emit: (event) => {
      events.push(event);
      options.onEvent?.(event, controller);
    },
    journal,
    save: () => writeJournal(cluster.kube, NS, structuredClone(journal)),
    gate: async (step) => {
      await options.gate?.(step);
      return 'all ok';
    },
    enter: () => Promise.resolve(),
    excluded: new Set(options.excluded),
    ...options.context,
  });
  result.catch(() => {});
  const of = (type: EngineEvent['type']): string[] =>
    events.flatMap((event) => (event.type === type && 'id' in event ? [event.id] : []));
  return { events, journal, controller, result, of };
}

import type { ChartRef } from '../../charts/pins.ts';
import { hashOf } from '../../core/compare.ts';
import type { KubeObject } from '../../core/types.ts';
import { crds } from './crds.ts';
import { gate } from './gate.ts';
import { objects } from './objects.ts';
import { prune } from './prune.ts';
import { release } from './release.ts';
import { removal } from './removal.ts';
import { secret } from './secret.ts';
import type {
  ApplyContext,
  ApplyOptions,
  ExportWriter,
  Observation,
  ReadContext,
  StepBase,
  StepKind,
} from './types.ts';
import { webhook } from './webhook.ts';

/** Every kind of step: a new one is a file here and a line in this list. Their order is the order of refusals. */
const KINDS = { gate, release, objects, crds, secret, webhook, removal, prune };

type StepOf<K> = K extends StepKind<infer S> ? S : never;

/** A plan is pure data: equal configuration gives equal steps. */
export type Step = StepOf<(typeof KINDS)[keyof typeof KINDS]>;
export type StepOfKind<K extends Step['kind']> = Extract<Step, { kind: K }>;

const kindOf = (step: Step): StepKind<StepBase> => KINDS[step.kind];

export function stepsOf<K extends Step['kind']>(steps: Step[], kind: K): StepOfKind<K>[] {
  return steps.filter((step): step is StepOfKind<K> => step.kind === kind);
}

export const inputsOf = (step: Step): string => hashOf(kindOf(step).inputs(step));

/** Compares a step with the live state, which decides, not the journal. Reads only. @throws KubeError */
export const observe = (step: Step, context: ReadContext, { diff = false } = {}): Promise<Observation> =>
  kindOf(step).observe(step, context, diff);

export const apply = (step: Step, context: ApplyContext, options: ApplyOptions): Promise<void> =>
  kindOf(step).apply(step, context, options);

/** Runs before anything changes. The first reason in the order of KINDS is thrown. @throws ObsError */
export async function refuse(steps: Step[], context: ReadContext): Promise<void> {
  const kinds = Object.keys(KINDS) as Step['kind'][];
  const all = kinds.map(async (kind) => (KINDS[kind] as StepKind<StepBase>).refuse?.(stepsOf(steps, kind), context));
  for (const result of await Promise.allSettled(all)) if (result.status === 'rejected') throw result.reason;
}

export const chartsOf = (steps: Step[]): ChartRef[] => steps.flatMap((step) => kindOf(step).charts?.(step) ?? []);

export const objectsOf = (steps: Step[]): KubeObject[] => steps.flatMap((step) => kindOf(step).objects?.(step) ?? []);

/** Namespaces with helm records of a plan; home first. */
export const namespacesOfRecords = (steps: Step[], home: string): string[] => [
  ...new Set([home, ...steps.flatMap((step) => kindOf(step).recordsIn?.(step) ?? [])]),
];

export async function exportStep(step: Step, writer: ExportWriter): Promise<void> {
  await kindOf(step).export?.(step, writer);
}

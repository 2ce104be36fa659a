import type { Helm } from '../adapters/helm.ts';
import { storedReleases } from '../adapters/helm.ts';
import type { Kube } from '../adapters/kube.ts';
import { refText } from '../core/types.ts';
import { observe } from '../engine/observe.ts';
import { buildPlan } from '../engine/plan.ts';
import type { Config } from '../profile/schema.ts';
import type { DriftRow } from './facts/context.ts';
import { scrubText } from './facts/scrub.ts';

/** Live objects against the plan of this configuration, by the installer's own comparison. Absent steps are MNT-05's business. */
export async function driftOf(wires: { kube: Kube; helm: Helm; namespace: string }, config: Config): Promise<DriftRow[]> {
  const eyes = { ...wires, releases: await storedReleases(wires.kube, wires.namespace) };
  const steps = buildPlan(config).filter((step) => step.kind !== 'gate');
  const seen = await Promise.all(steps.map((step) => observe(step, eyes)));
  return seen.flatMap(({ changes }) =>
    changes.flatMap(({ ref, action, changes: rows }): DriftRow[] => {
      const object = refText(ref);
      if (action === 'create') return [{ object, path: '', from: '(absent)', to: '(as planned)' }];
      if (action === 'delete') return [{ object, path: '', from: '(there)', to: '(switched off)' }];
      return rows.map(({ path, from, to }) => ({ object, path, from: scrubText(from), to: scrubText(to) }));
    }),
  );
}

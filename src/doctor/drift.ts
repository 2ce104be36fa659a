import type { Helm } from '../adapters/helm.ts';
import { releasesIn } from '../adapters/helm.ts';
import type { Kube } from '../adapters/kube.ts';
import { chartsFrom } from '../charts/source.ts';
import { refText } from '../core/types.ts';
import { namespacesOfRecords, observe } from '../engine/steps/index.ts';
import { buildPlan } from '../engine/plan/index.ts';
import type { Config } from '../profile/schema.ts';
import type { DriftRow } from '../checks/lib/values.ts';
import { scrubText } from './facts/scrub.ts';

/** Compares live objects with the plan of this configuration, as the installer does. */
export async function driftOf(
  session: { kube: Kube; helm: Helm; namespace: string },
  config: Config,
): Promise<DriftRow[]> {
  // Gates have no objects; CRDs and webhooks need a chart archive, which the doctor must work without.
  const steps = buildPlan(config).filter(
    (step) => step.kind !== 'gate' && step.kind !== 'crds' && step.kind !== 'webhook',
  );
  const context = {
    ...session,
    charts: chartsFrom(config.global.charts),
    releases: await releasesIn(session.kube, namespacesOfRecords(steps, session.namespace)),
  };
  const seen = await Promise.all(steps.map((step) => observe(step, context)));
  return seen.flatMap(({ changes }) =>
    changes.flatMap(({ ref, action, changes: rows }): DriftRow[] => {
      const object = refText(ref);
      if (action === 'create') return [{ object, path: '', from: '(absent)', to: '(as planned)' }];
      if (action === 'delete') return [{ object, path: '', from: '(present)', to: '(switched off)' }];
      return rows.map(({ path, from, to }) => ({ object, path, from: scrubText(from), to: scrubText(to) }));
    }),
  );
}

import type { Paint } from '../core/text.ts';
import { refText } from '../core/types.ts';
import type { Step } from '../engine/steps/index.ts';
import type { Observation } from '../engine/steps/types.ts';
import { PHASES } from '../parts/types.ts';

export type Observed = { step: Step; seen: Observation }[];

const SIGN: Record<string, string> = { create: '+', change: '~', delete: '-' };

/** The plan object by object, with a line of totals. `brief` lists the new objects of a step in one line. */
export function planText(observed: Observed, paint: Paint, brief = false): string {
  const lines: string[] = [];
  const total: Record<string, number> = { create: 0, change: 0, delete: 0 };
  let phase = '';
  const inOrder = observed.toSorted((a, b) => PHASES.indexOf(a.step.phase) - PHASES.indexOf(b.step.phase));
  for (const { step, seen } of inOrder) {
    if (step.kind === 'gate' || (seen.state === 'done' && seen.changes.length === 0)) continue;
    if (step.phase !== phase) lines.push(paint.bold((phase = step.phase)));
    lines.push(`  ${step.title}${seen.detail ? paint.dim(` (${seen.detail})`) : ''}`);
    const created = seen.changes.filter((change) => change.action === 'create');
    if (brief && created.length) lines.push(paint.ok(`    + ${created.map((change) => change.ref.kind).join(', ')}`));
    for (const change of seen.changes) {
      total[change.action] = (total[change.action] ?? 0) + 1;
      if (brief && change.action === 'create') continue;
      const colour = change.action === 'create' ? paint.ok : change.action === 'delete' ? paint.fail : paint.warn;
      lines.push(colour(`    ${SIGN[change.action]} ${refText(change.ref)}`));
      for (const c of change.changes.slice(0, 8)) lines.push(paint.dim(`        ${c.path}: ${c.from} → ${c.to}`));
      if (change.changes.length > 8) lines.push(paint.dim(`        and ${change.changes.length - 8} more`));
    }
  }
  const { create, change, delete: remove } = total;
  lines.push(
    lines.length === 0
      ? 'Nothing to do: the cluster matches the configuration.'
      : `${create} to create, ${change} to change, ${remove} to delete`,
  );
  return lines.join('\n');
}

export function planJson(observed: Observed): object {
  return observed.map(({ step, seen }) => ({
    id: step.id,
    phase: step.phase,
    state: step.kind === 'gate' ? 'gate' : seen.state,
    detail: seen.detail,
    changes: seen.changes,
  }));
}

/** Images and claims of a plan: what the cluster must provide. */
export function budgetText(steps: Step[], images: string[]): string {
  const claims = steps.flatMap((step) =>
    step.kind === 'objects' ? step.objects.filter((o) => o.kind === 'PersistentVolumeClaim') : [],
  );
  const size = claims.map(
    (claim) => (claim['spec'] as { resources: { requests: { storage: string } } }).resources.requests.storage,
  );
  return [
    `images: ${images.length}`,
    ...images.map((image) => `  ${image}`),
    `storage: ${size.length ? size.join(' + ') : 'none'}`,
  ].join('\n');
}

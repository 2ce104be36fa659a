import { randomBytes } from 'node:crypto';
import { registerSecret } from '../../core/redact.ts';
import { type KubeObject, refOf } from '../../core/types.ts';
import type { FromMachine, SecretValue } from '../../parts/types.ts';
import { isGiven, missingValue, refuseMissing, valueOf } from './secretValues.ts';
import type { StepBase, StepKind } from './types.ts';

/** Created once; values are never overwritten, because data may be encrypted or users created with them. */
export interface SecretStep extends StepBase {
  kind: 'secret';
  object: KubeObject;
  keys: Record<string, SecretValue>;
  data: true;
}

export const secret: StepKind<SecretStep> = {
  inputs: (step) => [step.object, Object.keys(step.keys)],

  async observe(step, { kube }) {
    const ref = refOf(step.object);
    const live = await kube.read(ref);
    if (!live) return { state: 'absent', changes: [{ ref, action: 'create', changes: [] }] };
    const keys = Object.keys(live['data'] ?? {});
    const missing = Object.keys(step.keys).filter((key) => !keys.includes(key));
    if (missing.length === 0) return { state: 'done', changes: [] };
    const changes = missing.map((key) => ({ path: `data.${key}`, from: '(absent)', to: '(a new value)' }));
    return { state: 'drifted', changes: [{ ref, action: 'change', changes }] };
  },

  /** Sends values through the API directly: they are in no argument and no file. */
  async apply(step, { kube }) {
    const live = await kube.read(refOf(step.object));
    const data = { ...((live?.['data'] ?? {}) as Record<string, string>) };
    for (const [key, fixed] of Object.entries(step.keys)) {
      if (data[key]) continue;
      const value = isGiven(fixed) ? valueOf(fixed) : (fixed ?? randomBytes(18).toString('base64url'));
      if (value === undefined) throw missingValue({ step, key, source: fixed as FromMachine });
      if (fixed === null) registerSecret(value);
      data[key] = Buffer.from(value).toString('base64');
    }
    if (live) await kube.replace({ ...live, data });
    else await kube.create({ ...step.object, data });
  },

  refuse: (steps, { kube }) => refuseMissing(steps, kube),
  export: (step, writer) => writer.secret(step, step.object, step.keys),
};

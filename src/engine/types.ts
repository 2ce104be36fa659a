import type { Change } from '../core/compare.ts';
import type { JsonMap, KubeObject, ObjectRef } from '../core/types.ts';
import type { Phase } from '../components/types.ts';

export interface Workload {
  kind: 'StatefulSet' | 'Deployment' | 'DaemonSet';
  name: string;
}

interface StepBase {
  /** Stable: the journal and `needs` speak of it, for example `release/loki`. */
  id: string;
  phase: Phase;
  title: string;
  needs: string[];
}

/** Objects that we apply ourselves. */
export interface ObjectsStep extends StepBase {
  kind: 'objects';
  objects: KubeObject[];
  /** Left alone by `uninstall` unless data are to be deleted. */
  data?: boolean;
}

/** A Secret with random content: made once, never overwritten (peers.md: new secrets on old data break a reinstall). */
export interface SecretStep extends StepBase {
  kind: 'secret';
  object: KubeObject;
  /** Keys to fill: a fixed text, or random when null. */
  keys: Record<string, string | null>;
  data: true;
}

/** A Helm release and the workload that must become ready. */
export interface ReleaseStep extends StepBase {
  kind: 'release';
  release: string;
  chart: string;
  values: JsonMap;
  workload: Workload;
  /** Steps whose objects the pods read only when they start. */
  rereads?: string[];
}

/** What a component that is switched off may have left from before; its claims and secrets stay. */
export interface RemovalStep extends StepBase {
  kind: 'removal';
  release: string;
  objects: ObjectRef[];
}

/** Something that is looked at, not made: preflight and verify. */
export interface GateStep extends StepBase {
  kind: 'gate';
  gate: 'preflight' | 'verify';
}

/** The plan is pure data: equal configuration gives an equal plan. */
export type Step = ObjectsStep | SecretStep | ReleaseStep | RemovalStep | GateStep;

export type State = 'absent' | 'drifted' | 'stuck' | 'unready' | 'done';

export interface ObjectChange {
  ref: ObjectRef;
  action: 'create' | 'change' | 'delete';
  changes: Change[];
}

/** What the cluster says about a step. */
export interface Observation {
  state: State;
  changes: ObjectChange[];
  /** One line for people: why it is stuck or not ready. */
  detail?: string;
}

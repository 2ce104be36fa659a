import type { Change } from '../core/compare.ts';
import type { ChartName, ChartRef } from '../charts/pins.ts';
import type { Conversion, Phase, Provided, SecretValue } from '../parts/types.ts';
import type { JsonMap, KubeObject, ObjectRef } from '../core/types.ts';

export interface Workload {
  kind: 'StatefulSet' | 'Deployment' | 'DaemonSet';
  name: string;
  namespace: string;
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
  /** What an operator makes of them, and must become ready. */
  workloads?: Workload[];
  /** Left alone by `uninstall` unless data are to be deleted. */
  data?: boolean;
}

/** A Secret: made once, what it holds is never overwritten (peers.md: new secrets on old data break a reinstall). */
export interface SecretStep extends StepBase {
  kind: 'secret';
  object: KubeObject;
  keys: Record<string, SecretValue>;
  data: true;
}

/** CustomResourceDefinitions of an upstream chart, by server-side apply: helm installs them once and never upgrades them. */
export interface CrdsStep extends StepBase {
  kind: 'crds';
  chart: ChartName;
  /** Values with which the chart renders them. */
  values: JsonMap;
  /** Waits until the API serves them: what needs this step makes objects of these kinds. Otherwise a webhook's gate proves it later. */
  served: boolean;
}

/** A Helm release and the workloads that must become ready. */
export interface ReleaseStep extends StepBase {
  kind: 'release';
  release: string;
  namespace: string;
  chart: ChartRef;
  values: JsonMap;
  workloads: Workload[];
  /** Steps whose objects the pods read only when they start. */
  rereads?: string[];
  /** Cluster-wide object that tells that somebody else already provides this: then it is used, not installed. */
  provided?: Provided;
}

/** A webhook serves when a server dry-run of the objects that it judges passes: a gate, not a sleep. */
export interface WebhookStep extends StepBase {
  kind: 'webhook';
  objects: KubeObject[];
  conversion?: Conversion;
}

/** What a component that is switched off may have left from before; its claims and secrets stay. */
export interface RemovalStep extends StepBase {
  kind: 'removal';
  release: string;
  namespace: string;
  objects: ObjectRef[];
}

/** What is ours and the plan has no more: releases of an add-on that was switched off, objects of a feature. */
export interface StaleStep extends StepBase {
  kind: 'stale';
  /** `namespace/name` of every release of the plan. */
  wanted: string[];
  /** `Kind namespace/name` of every object that the plan applies, or removes by a step of its own. */
  objects: string[];
}

/** Something that is looked at, not made: preflight and verify. */
export interface GateStep extends StepBase {
  kind: 'gate';
  gate: 'preflight' | 'verify';
}

/** The plan is pure data: equal configuration gives an equal plan. */
export type Step = ObjectsStep | SecretStep | CrdsStep | ReleaseStep | WebhookStep | RemovalStep | StaleStep | GateStep;

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
  /** One line for people: why it is stuck or not ready, or who else provides it. */
  detail?: string;
}

import type { Helm, StoredRelease } from '../../adapters/helm.ts';
import type { Kube } from '../../adapters/kube.ts';
import type { Kubectl } from '../../adapters/kubectl.ts';
import type { ChartRef } from '../../charts/pins.ts';
import type { Charts } from '../../charts/source.ts';
import type { Change } from '../../core/compare.ts';
import type { JsonMap, KubeObject, ObjectRef } from '../../core/types.ts';
import type { Phase, SecretValue } from '../../parts/types.ts';

export interface Workload {
  kind: 'StatefulSet' | 'Deployment' | 'DaemonSet';
  name: string;
  namespace: string;
}

export interface StepBase {
  kind: string;
  /** Stable, for example `release/loki`: the journal and `needs` refer to it. */
  id: string;
  phase: Phase;
  title: string;
  needs: string[];
}

export type State = 'absent' | 'drifted' | 'stuck' | 'unready' | 'done';

export interface ObjectChange {
  ref: ObjectRef;
  action: 'create' | 'change' | 'delete';
  changes: Change[];
}

export interface Observation {
  state: State;
  changes: ObjectChange[];
  /** One line for people: why the step is stuck or not ready, or who else provides it. */
  detail?: string;
}

/** helm's records by `namespace/name`. */
export type Releases = Map<string, StoredRelease>;

export interface ReadContext {
  kube: Kube;
  helm: Helm;
  charts: Charts;
  /** Home of the installation. */
  namespace: string;
  /** Read once for many steps; absent: read on demand. */
  releases?: Releases | undefined;
}

export interface ApplyContext extends ReadContext {
  kubectl: Kubectl;
  /** Milliseconds that one workload may take to become ready. */
  timeout: number;
  /** Aborted: start nothing new; a running helm call finishes. */
  signal: AbortSignal;
}

export type Report = (detail: string) => void;

export interface ApplyOptions {
  seen: Observation;
  report: Report;
  /** A ConfigMap that the pods read at start was repaired: restart them. */
  restart: boolean;
}

/** Target of an export, for example a Terraform module. */
export interface ExportWriter {
  /** A plain object of a kind that every cluster has. */
  object(step: StepBase, object: KubeObject): void;
  /** Objects whose kinds the cluster may not have yet, as one unit. */
  bundle(step: StepBase, objects: KubeObject[]): void;
  /** A Secret; a value of `null` or of this machine becomes an input of the export. */
  secret(step: StepBase, object: KubeObject, keys: Record<string, SecretValue>): void;
  release(step: StepBase, release: Release): Promise<void>;
  /** A pause after the given release steps. */
  pause(step: StepBase, releases: string[]): void;
  definitions(chart: ChartRef, values: JsonMap): Promise<KubeObject[]>;
}

export interface Release {
  release: string;
  namespace: string;
  chart: ChartRef;
  values: JsonMap;
}

/** One kind of step. Register it in index.ts. */
export interface StepKind<S extends StepBase> {
  /** What the step wants: hashed into the journal, so that a later run notices changed input. */
  inputs(step: S): unknown;
  /** Compares with the live state; reads only. `diff`: list what helm would change. @throws KubeError */
  observe(step: S, context: ReadContext, diff: boolean): Promise<Observation>;
  /** Makes the live state match and waits until it does. @throws ObsError */
  apply(step: S, context: ApplyContext, options: ApplyOptions): Promise<void>;
  /** Refuses, before anything changes, what cannot succeed or belongs to somebody else. @throws ObsError */
  refuse?(steps: S[], context: ReadContext): Promise<void>;
  charts?(step: S): ChartRef[];
  /** Namespace of the step's helm records. */
  recordsIn?(step: S): string;
  /** Objects that the step applies without helm. */
  objects?(step: S): KubeObject[];
  /** Writes the step for another tool; a step without it has no counterpart there. */
  export?(step: S, writer: ExportWriter): void | Promise<void>;
}

export const deletions = (refs: ObjectRef[]): ObjectChange[] =>
  refs.map((ref) => ({ ref, action: 'delete', changes: [] }));

import type { exec } from '../../adapters/exec.ts';
import type { Grafana } from '../../adapters/grafana.ts';
import type { Kube } from '../../adapters/kube.ts';
import type { Kubectl } from '../../adapters/kubectl.ts';
import type { FactMap } from '../../checks/lib/facts.ts';
import type { DriftRow, ProbeResult } from '../../checks/lib/values.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';

/** What the caller provides. */
export interface Deps {
  kube: Kube;
  kubectl: Pick<Kubectl, 'portForward'>;
  exec: typeof exec;
  config: Config;
  /** Compares live objects with the plan; without it the fact `drift:plan` fails. */
  drift?: () => Promise<DriftRow[]>;
  /** Facts of an earlier run, to compare with. */
  baseline?: FactMap;
  /** Called once per collected fact, for progress. */
  onFact?: (key: string, done: number, total: number) => void;
  onProbe?: (text: string) => void;
  signal?: AbortSignal;
}

/** What collectors share in one run: each list and the tunnel to Grafana are fetched once. */
export interface FactContext extends Deps {
  signal: AbortSignal;
  /** Pruned objects in the namespaces of the installation, or in `all` namespaces. Cached for the run. */
  objects(kind: string, all?: boolean): Promise<KubeObject[]>;
  /** Opened at the first call, closed when all facts are collected. */
  grafana(): Promise<Grafana>;
  probe(): Promise<ProbeResult>;
}

/** `rest` is the key without its scheme. */
export type Collector = (rest: string, context: FactContext) => Promise<unknown>;

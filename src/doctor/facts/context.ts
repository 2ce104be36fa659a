import type { FactMap } from '../../checks/lib/facts.ts';
import type { exec } from '../../adapters/exec.ts';
import type { Kube } from '../../adapters/kube.ts';
import type { Kubectl } from '../../adapters/kubectl.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import type { Grafana } from '../../adapters/grafana.ts';
import type { DriftRow, ProbeResult } from '../../checks/lib/values.ts';

/** What the caller brings. */
export interface Deps {
  kube: Kube;
  kubectl: Pick<Kubectl, 'portForward'>;
  exec: typeof exec;
  config: Config;
  /** Live objects against the plan; without it `drift:plan` is a look that failed. */
  drift?: () => Promise<DriftRow[]>;
  /** FactMap of an earlier day, to compare with. */
  baseline?: FactMap;
  /** Called once per finished fact, for progress. */
  onFact?: (key: string, done: number, total: number) => void;
  onProbe?: (text: string) => void;
  signal?: AbortSignal;
}

/** What collectors share in one run: lists and the tunnel to Grafana are fetched once. */
export interface FactContext extends Deps {
  signal: AbortSignal;
  /** Pruned objects of the installation's namespaces; `all` for every namespace. Cached for the run. */
  objects(kind: string, all?: boolean): Promise<KubeObject[]>;
  /** Opened at the first call, closed when all facts are collected. */
  grafana(): Promise<Grafana>;
  probe(): Promise<ProbeResult>;
}

/** `rest` is the key without its scheme. */
export type Collector = (rest: string, context: FactContext) => Promise<unknown>;

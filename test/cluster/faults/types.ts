/** One real-life fault, and what doctor must report first. */
export interface Fault {
  name: string;
  /** Causes the fault; returns when it is visible in the cluster. */
  inject: (namespace: string) => Promise<void>;
  /** Reverts what a second `install` cannot repair. */
  undo?: (namespace: string) => Promise<void>;
  /** ID of the first finding: the root cause, not a consequence. */
  first: string | RegExp;
  /** Patterns in its evidence, cause and fix. */
  evidence: RegExp;
  cause: RegExp;
  fix: RegExp;
  /** The object it names, as `Kind namespace/name`; NS stands for the namespace. */
  object?: string;
}

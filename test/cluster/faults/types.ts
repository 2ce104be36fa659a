/** One thing that breaks in real life, and what the doctor must say of it first. */
export interface Fault {
  name: string;
  /** Breaks it; ends when the cluster shows it. */
  inject: (namespace: string) => Promise<void>;
  /** Takes back what a re-run of `install` cannot know of. Everything else is cured by that re-run alone. */
  undo?: (namespace: string) => Promise<void>;
  /** The first finding: the root cause, not one of its consequences. */
  first: string | RegExp;
  /** Words of its evidence, cause, and fix. */
  evidence: RegExp;
  cause: RegExp;
  fix: RegExp;
  /** `Kind namespace/name` that it names; NS stands for the namespace. */
  object?: string;
}

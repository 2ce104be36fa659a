/** Exit codes, the same in every output format (docs/architecture.md). */
export const EXIT = { ok: 0, failed: 1, usage: 2, check: 3, warnings: 4, cancelled: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface ErrorParts {
  /** What failed, as a sentence without a full stop. */
  what: string;
  /** The object it failed on, for example `StatefulSet genai-observability/loki`. */
  object?: string;
  /** The likely cause. */
  cause?: string;
  /** The next command or action. */
  next?: string;
  exit?: ExitCode;
}

/** The error shown to users: what failed, on which object, why, and the next command; never a stack trace. */
export class ObsError extends Error {
  readonly parts: ErrorParts;
  readonly exit: ExitCode;
  constructor(parts: ErrorParts) {
    super(parts.what);
    this.name = 'ObsError';
    this.parts = parts;
    this.exit = parts.exit ?? EXIT.failed;
  }
}

/** Bad input, refused before anything changes. */
export const usageError = (what: string, next?: string, cause?: string): ObsError =>
  new ObsError({ what, exit: EXIT.usage, ...(next ? { next } : {}), ...(cause ? { cause } : {}) });

export const cancelled = (what: string, next: string): ObsError => new ObsError({ what, next, exit: EXIT.cancelled });

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

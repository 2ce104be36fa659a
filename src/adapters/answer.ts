import { redact } from '../core/redact.ts';

export interface Answer {
  status: number;
  body: string;
  /** The API server's clock, from its Date header. */
  date?: string;
}

export interface RequestOptions {
  body?: string;
  contentType?: string;
  /** Milliseconds; default 15 000. */
  timeout?: number;
}

/** The API server said no, or did not answer (`status` 0; its reason is `Timeout` or `Unreachable`). */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(redact(message));
    this.name = 'KubeError';
    this.status = status;
    this.reason = reason;
  }
}

/** What the API server says of a request that it did not grant; `what` stands for its words where it has none. */
export function statusError(answer: Answer, what: string): KubeError {
  try {
    const status = JSON.parse(answer.body) as { reason?: string; message?: string };
    return new KubeError(answer.status, status.reason ?? 'Unknown', status.message ?? `${what}: HTTP ${answer.status}`);
  } catch {
    return new KubeError(answer.status, 'Unknown', `${what}: HTTP ${answer.status} ${answer.body.slice(0, 200)}`);
  }
}

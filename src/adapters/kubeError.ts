import { ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';

export interface Answer {
  status: number;
  body: string;
  /** The API server's clock, from its Date header. */
  date?: string;
}

/** The API server refused, or did not answer (`status` 0; its reason is `Timeout` or `Unreachable`). */
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

/** The error in a response that is not a success; `what` is the message when the response has none. */
export function statusError(answer: Answer, what: string): KubeError {
  try {
    const status = JSON.parse(answer.body) as { reason?: string; message?: string };
    return new KubeError(answer.status, status.reason ?? 'Unknown', status.message ?? `${what}: HTTP ${answer.status}`);
  } catch {
    return new KubeError(answer.status, 'Unknown', `${what}: HTTP ${answer.status} ${answer.body.slice(0, 200)}`);
  }
}

export const LOG_IN = 'log in again with your cluster provider’s CLI, then: kubectl auth whoami';
export const ASK_FOR_RIGHTS = 'request the permissions that `genai-obs doctor --stage preflight` lists under PRE-23';

/** An error of the API server as an ObsError that names the context and the next command. */
export function explainKube(error: unknown, kube: { context: string; server: string }, doing: string): ObsError {
  if (error instanceof ObsError) return error;
  if (!(error instanceof KubeError))
    return new ObsError({ what: `failed while ${doing}`, cause: redact(messageOf(error)) });
  const cause = error.message;
  const context = `context ${kube.context}`;
  const server = `${context} (${kube.server})`;
  const readyz = `kubectl --context ${kube.context} get --raw /readyz`;
  switch (error.status) {
    case 0:
      return new ObsError({ what: `the cluster does not answer while ${doing}`, object: server, cause, next: readyz });
    case 401: {
      const what = `the cluster refuses the credentials of the context while ${doing}`;
      return new ObsError({ what, object: context, cause, next: LOG_IN });
    }
    case 403:
      return new ObsError({ what: `not allowed while ${doing}`, object: context, cause, next: ASK_FOR_RIGHTS });
    default: {
      const hint = 'if it does not print ok, the API server is unhealthy or this is not the cluster you meant';
      return new ObsError({
        what: `the cluster refused while ${doing}`,
        object: server,
        cause,
        next: `${readyz}; ${hint}`,
      });
    }
  }
}

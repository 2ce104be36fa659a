import { KubeError } from '../adapters/kube.ts';
import { EXIT, ObsError, messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import type { EngineEvent } from '../engine/events.ts';
import { paint } from './paint.ts';

/** Text, JSON and exit code of any error; nothing else decides them. */
export function describe(error: unknown): { text: string; json: object; exit: number } {
  if (error instanceof ObsError) {
    const { what, object, cause, next } = error.parts;
    const lines = [
      `${paint.fail('error:')} ${what}`,
      object && `  on     ${object}`,
      cause && `  cause  ${cause}`,
      next && `  next   ${next}`,
    ];
    return {
      text: redact(lines.filter(Boolean).join('\n')),
      json: { error: clean({ what, object, cause, next }), exit: error.exit },
      exit: error.exit,
    };
  }
  if (isPromptExit(error))
    return {
      text: `${paint.warn('cancelled:')} nothing was changed`,
      json: { error: { what: 'cancelled' }, exit: EXIT.cancelled },
      exit: EXIT.cancelled,
    };
  const what =
    error instanceof KubeError ? `the cluster refused: ${error.message}` : `genai-obs failed: ${messageOf(error)}`;
  const next = 'run again with GENAI_OBS_DEBUG=1 and report the output';
  const trace = process.env['GENAI_OBS_DEBUG'] && error instanceof Error ? `\n${redact(error.stack ?? '')}` : '';
  return {
    text: redact(`${paint.fail('error:')} ${what}\n  next   ${next}${trace}`),
    json: { error: { what: redact(what), next }, exit: EXIT.failed },
    exit: EXIT.failed,
  };
}

function clean(parts: Record<string, string | undefined>): object {
  return Object.fromEntries(
    Object.entries(parts).flatMap(([key, text]) => (text === undefined ? [] : [[key, redact(text)]])),
  );
}

const isPromptExit = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortPromptError');

export function resultText(event: Extract<EngineEvent, { type: 'done' }>): string {
  const time = event.ms >= 100 ? `${(event.ms / 1000).toFixed(1)} s` : '';
  const what = event.detail ?? (event.result === 'applied' ? '' : event.result);
  return [time, what].filter(Boolean).join(', ');
}

import { setTimeout as wait } from 'node:timers/promises';
import { errorType, postJson } from '../http.ts';
import { PERSONAS, pick } from '../models.ts';
import type { Settings } from '../settings.ts';
import type { Telemetry } from '../telemetry.ts';

const QUESTIONS = [
  'How long does a collector keep data when the backend is down?',
  'Which retention should logs of a chat application have?',
  'Why do some answers take longer than five seconds, and how can I fix that without another model?',
  'Summarize what changed in the pipeline since the last release, with the reasons.',
  'What does a thousand questions cost?',
];
const SUMMARY_MS = 30_000;

export function drawQuestion(random: () => number): {
  persona: string;
  model: string;
  top_k: number;
  question: string;
} {
  const persona = pick(PERSONAS, ({ share }) => share, random);
  const [model] = pick(persona.models, ([, share]) => share, random);
  return { persona: persona.name, model, top_k: persona.topK, question: pick(QUESTIONS, () => 1, random) };
}

/** Sends questions until `stop` aborts. Emits no spans: it stands for users, who are not part of a trace. */
export async function load(telemetry: Telemetry, settings: Settings, stop: AbortSignal): Promise<void> {
  if (settings.rate === 0) return;
  const open = new Set<Promise<void>>();
  let counts = { asked: 0, answered: 0, failed: 0, skipped: 0 };

  async function ask(): Promise<void> {
    const question = drawQuestion(Math.random);
    counts.asked++;
    try {
      await postJson(settings.chatUrl, '/chat', question);
      counts.answered++;
    } catch (error) {
      counts.failed++;
      telemetry.log('WARN', 'question.failed', {
        persona: question.persona,
        model: question.model,
        error_type: errorType(error),
      });
    }
  }

  const summary = setInterval(() => {
    telemetry.log(counts.skipped ? 'WARN' : 'INFO', 'load.summary', {
      ...counts,
      open: open.size,
      seconds: SUMMARY_MS / 1000,
    });
    counts = { asked: 0, answered: 0, failed: 0, skipped: 0 };
  }, SUMMARY_MS);

  while (!stop.aborted) {
    // Independent users arrive with exponentially distributed gaps.
    const gap = (-Math.log(1 - Math.random()) / settings.rate) * 1000;
    await wait(gap, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) break;
    if (open.size >= settings.concurrency) {
      counts.skipped++;
      continue;
    }
    const asking: Promise<void> = ask().finally(() => open.delete(asking));
    open.add(asking);
  }
  clearInterval(summary);
  await Promise.all(open);
}

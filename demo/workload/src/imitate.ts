import type { Model } from './models.ts';

export interface Reply {
  status: 200 | 429 | 500;
  latencyMs: number;
  outputTokens: number;
}

const SLOW_FROM_MS = 5_200;
const SLOW_TO_MS = 9_000;
const NORMAL_UP_TO_MS = 4_500;

/** A random factor around 1, right-skewed like real lengths and latencies. */
function skewed(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.exp(0.45 * normal - 0.1);
}

/** Draws the response of a model's provider to one chat. */
export function drawReply(model: Model, shares: { errorRate: number; slowRate: number }, random: () => number): Reply {
  const fate = random();
  if (fate < shares.errorRate / 2) return { status: 429, latencyMs: 20 + 40 * random(), outputTokens: 0 };
  if (fate < shares.errorRate) return { status: 500, latencyMs: 150 + 900 * random(), outputTokens: 0 };
  const outputTokens = Math.max(8, Math.round(model.meanOutputTokens * skewed(random)));
  const normal = model.firstTokenMs * skewed(random) + (outputTokens / model.tokensPerSecond) * 1000;
  const slow = fate < shares.errorRate + shares.slowRate;
  return {
    status: 200,
    latencyMs: slow ? SLOW_FROM_MS + (SLOW_TO_MS - SLOW_FROM_MS) * random() : Math.min(normal, NORMAL_UP_TO_MS),
    outputTokens,
  };
}

/** Estimates tokens: about four characters per token. */
export function countTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}

const SENTENCE =
  'Collectors buffer telemetry while a backend is down. ' +
  'When the buffer is full, the gateway refuses spans, which is the first visible symptom. ';

export interface Chunk {
  id: string;
  score: number;
  text: string;
}

/** Draws `topK` chunks, best first, from an imaginary document store. */
export function drawChunks(topK: number, random: () => number): Chunk[] {
  return Array.from({ length: topK }, (_, rank) => ({
    id: `doc-${Math.floor(random() * 400)}#${Math.floor(random() * 20)}`,
    score: Math.round((0.92 - rank * 0.04 - random() * 0.03) * 1000) / 1000,
    text: SENTENCE.repeat(3 + Math.floor(random() * 8)),
  }));
}

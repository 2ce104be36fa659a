import { setTimeout as wait } from 'node:timers/promises';
import { trace } from '@opentelemetry/api';
import { HttpError, type Handler } from '../http.ts';
import { drawChunks } from '../imitate.ts';
import { numberOf } from '../json.ts';
import { GEN_AI } from '../semconv.ts';
import type { Telemetry } from '../telemetry.ts';

/** POST /search {embedding, top_k} → {chunks}. */
export function vectorStore(telemetry: Telemetry): Record<string, Handler> {
  return {
    '/search': async (body) => {
      const topK = numberOf(body, 'top_k') ?? 5;
      if (!Number.isInteger(topK) || topK < 1 || topK > 20) throw new HttpError(400, 'top_k');
      const started = performance.now();
      // One search in fifty misses the cache.
      await wait(Math.random() < 0.02 ? 150 + 200 * Math.random() : 6 + 25 * Math.random());
      trace.getActiveSpan()?.setAttribute(GEN_AI.topK, topK);
      telemetry.log('INFO', 'search.completed', { chunks: topK, latency_ms: Math.round(performance.now() - started) });
      return { body: { chunks: drawChunks(topK, Math.random) } };
    },
  };
}

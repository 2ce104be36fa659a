// Records one model call with the names of the GenAI semantic conventions.
import { SpanKind, SpanStatusCode, metrics, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('{{app}}');
const meter = metrics.getMeter('{{app}}');
// Bucket boundaries of the conventions. The defaults of the SDK are for milliseconds.
const boundaries = (first, factor) => ({ explicitBucketBoundaries: Array.from({ length: 14 }, (_, n) => first * factor ** n) });
const duration = meter.createHistogram('gen_ai.client.operation.duration', { unit: 's', advice: boundaries(0.01, 2) });
const tokens = meter.createHistogram('gen_ai.client.token.usage', { unit: '{token}', advice: boundaries(1, 4) });

/** `ask` calls the model and returns the answer and the token counts. */
export function chat(model, ask) {
  const who = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': model };
  return tracer.startActiveSpan(`chat ${model}`, { kind: SpanKind.CLIENT, attributes: who }, async (span) => {
    const start = performance.now();
    const failed = {};
    try {
      const { answer, used } = await ask();
      for (const [type, count] of Object.entries(used)) {
        span.setAttribute(`gen_ai.usage.${type}_tokens`, count);
        tokens.record(count, { ...who, 'gen_ai.token.type': type });
      }
      return answer;
    } catch (error) {
      failed['error.type'] = error.name;
      span.setAttributes(failed).setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      duration.record((performance.now() - start) / 1000, { ...who, ...failed });
      span.end();
    }
  });
}

await chat('gpt-4o-mini', async () => ({ answer: 'hello', used: { input: 12, output: 34 } }));

import { trace } from '@opentelemetry/api';
import { GenAiClient, serverAttributes, type Usage } from '../genai.ts';
import { errorType, HttpError, postJson, type Handler } from '../http.ts';
import { fieldsOf, listOf, numberOf, textOf } from '../json.ts';
import { EMBEDDING_MODEL, modelNamed, type Model } from '../models.ts';
import { GEN_AI, RAG } from '../semconv.ts';
import type { Settings } from '../settings.ts';
import type { Telemetry } from '../telemetry.ts';

const DATA_SOURCE = 'product-docs';
const MAX_TOKENS = 1024;
const SLOW_MS = 5_000;

function usageOf(answer: unknown): Usage {
  return {
    responseModel: textOf(answer, 'model'),
    inputTokens: numberOf(fieldsOf(answer, 'usage'), 'prompt_tokens') ?? 0,
  };
}

/** POST /chat {question, persona, model, top_k} → {answer, model, usage}: embed, retrieve, ask the model. */
export function ragChat(telemetry: Telemetry, settings: Settings): Record<string, Handler> {
  const client = new GenAiClient(telemetry);
  const { modelUrl, vectorStoreUrl } = settings;

  async function embed(question: string): Promise<unknown> {
    const { answer } = await client.call(
      { operation: 'embeddings', model: EMBEDDING_MODEL, server: modelUrl },
      async () => {
        const answer = await postJson(modelUrl, '/v1/embeddings', { model: EMBEDDING_MODEL.name, input: question });
        return { ...usageOf(answer), answer };
      },
    );
    return fieldsOf({ first: listOf(answer, 'data')[0] }, 'first').embedding;
  }

  function retrieve(embedding: unknown, topK: number): Promise<string[]> {
    const attributes = {
      [GEN_AI.operation]: 'retrieval',
      [GEN_AI.dataSource]: DATA_SOURCE,
      [GEN_AI.topK]: topK,
      ...serverAttributes(vectorStoreUrl),
    };
    return client.span(
      `retrieval ${DATA_SOURCE}`,
      attributes,
      async () => {
        const found = await postJson(vectorStoreUrl, '/search', { embedding, top_k: topK });
        return listOf(found, 'chunks').map((chunk) => textOf(chunk, 'text') ?? '');
      },
      (chunks) => ({ [RAG.chunksFound]: chunks.length }),
    );
  }

  function ask(
    model: Model,
    question: string,
    chunks: string[],
  ): Promise<Usage & { outputTokens: number; text: string }> {
    const attributes = { [GEN_AI.requestMaxTokens]: MAX_TOKENS, [RAG.chunksSent]: chunks.length };
    return client.call({ operation: 'chat', model, server: modelUrl, attributes }, async () => {
      const messages = [
        { role: 'system', content: `Answer from these documents only:\n${chunks.join('\n')}` },
        { role: 'user', content: question },
      ];
      const answer = await postJson(modelUrl, '/v1/chat/completions', {
        model: model.name,
        max_tokens: MAX_TOKENS,
        messages,
      });
      const choices = listOf(answer, 'choices');
      return {
        ...usageOf(answer),
        responseId: textOf(answer, 'id'),
        finishReasons: choices.map((choice) => textOf(choice, 'finish_reason') ?? 'unknown'),
        outputTokens: numberOf(fieldsOf(answer, 'usage'), 'completion_tokens') ?? 0,
        text: textOf(fieldsOf(choices[0], 'message'), 'content') ?? '',
      };
    });
  }

  return {
    '/chat': async (body) => {
      const model = modelNamed(textOf(body, 'model'));
      const question = textOf(body, 'question');
      if (!model || !question) throw new HttpError(400, 'model and question are required');
      const persona = textOf(body, 'persona') ?? 'unknown';
      trace.getActiveSpan()?.setAttributes({ [RAG.persona]: persona });
      const started = performance.now();
      const fields = () => ({
        model: model.name,
        provider: model.provider,
        persona,
        latency_ms: Math.round(performance.now() - started),
      });
      try {
        const chunks = await retrieve(await embed(question), numberOf(body, 'top_k') ?? 5);
        const { text, responseModel, inputTokens, outputTokens } = await ask(model, question, chunks);
        const slow = performance.now() - started > SLOW_MS;
        telemetry.log(slow ? 'WARN' : 'INFO', slow ? 'chat.slow' : 'chat.completed', {
          ...fields(),
          chunks: chunks.length,
          input_tokens: inputTokens,
          output_tokens: outputTokens,
        });
        return {
          body: {
            answer: text,
            model: responseModel,
            usage: { input_tokens: inputTokens, output_tokens: outputTokens },
          },
        };
      } catch (error) {
        const type = errorType(error);
        telemetry.log(type === '429' ? 'WARN' : 'ERROR', 'chat.failed', { ...fields(), error_type: type });
        throw new HttpError(type === '429' ? 503 : 502, 'the model or the vector store did not respond');
      }
    },
  };
}

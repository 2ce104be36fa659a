import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { HttpError, type Handler } from '../http.ts';
import { countTokens, drawReply } from '../imitate.ts';
import { listOf, textOf } from '../json.ts';
import { EMBEDDING_MODEL, modelNamed } from '../models.ts';
import type { Settings } from '../settings.ts';
import type { Telemetry } from '../telemetry.ts';

/** Implements /v1/chat/completions and /v1/embeddings of the OpenAI API. Uses only the length of prompts. */
export function fakeModel(telemetry: Telemetry, settings: Settings): Record<string, Handler> {
  return {
    '/v1/chat/completions': async (body) => {
      const model = modelNamed(textOf(body, 'model'));
      if (!model) throw new HttpError(404, 'model');
      const reply = drawReply(model, settings, Math.random);
      await wait(reply.latencyMs);
      const fields = { model: model.name, provider: model.provider, latency_ms: Math.round(reply.latencyMs) };
      if (reply.status !== 200) {
        const type = reply.status === 429 ? 'rate_limit_exceeded' : 'server_error';
        telemetry.log(reply.status === 429 ? 'WARN' : 'ERROR', 'completion.refused', {
          ...fields,
          status: reply.status,
          error_type: type,
        });
        return { status: reply.status, body: { error: { type, message: type } } };
      }
      const prompt = listOf(body, 'messages')
        .map((message) => textOf(message, 'content') ?? '')
        .join('\n');
      const usage = { prompt_tokens: countTokens(prompt), completion_tokens: reply.outputTokens };
      telemetry.log('INFO', 'completion.served', {
        ...fields,
        input_tokens: usage.prompt_tokens,
        output_tokens: usage.completion_tokens,
      });
      return {
        body: {
          id: `chatcmpl-${randomUUID()}`,
          object: 'chat.completion',
          created: Math.floor(Date.now() / 1000),
          model: model.responseName,
          choices: [
            { index: 0, message: { role: 'assistant', content: 'See the cited documents.' }, finish_reason: 'stop' },
          ],
          usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens },
        },
      };
    },

    '/v1/embeddings': async (body) => {
      if (textOf(body, 'model') !== EMBEDDING_MODEL.name) throw new HttpError(404, 'model');
      await wait(EMBEDDING_MODEL.firstTokenMs * (0.6 + Math.random()));
      const tokens = countTokens(textOf(body, 'input') ?? '');
      return {
        body: {
          object: 'list',
          model: EMBEDDING_MODEL.responseName,
          data: [{ object: 'embedding', index: 0, embedding: Array.from({ length: 16 }, () => Math.random() * 2 - 1) }],
          usage: { prompt_tokens: tokens, total_tokens: tokens },
        },
      };
    },
  };
}

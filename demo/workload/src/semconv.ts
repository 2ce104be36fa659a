/** The attributes we emit from the GenAI semantic conventions (semantic-conventions-genai, status Development). */
export const GEN_AI = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  responseModel: 'gen_ai.response.model',
  responseId: 'gen_ai.response.id',
  finishReasons: 'gen_ai.response.finish_reasons',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  tokenType: 'gen_ai.token.type',
  dataSource: 'gen_ai.data_source.id',
  topK: 'gen_ai.retrieval.top_k',
} as const;

export const ERROR_TYPE = 'error.type';
export const SERVER_ADDRESS = 'server.address';
export const SERVER_PORT = 'server.port';

/** Attributes of this application; the conventions do not define them. */
export const RAG = { chunksFound: 'rag.chunks_found', chunksSent: 'rag.chunks_sent', persona: 'rag.persona' } as const;

export const DURATION_METRIC = 'gen_ai.client.operation.duration';
export const TOKEN_METRIC = 'gen_ai.client.token.usage';

/** The bucket boundaries of the conventions, in seconds: 10 ms, doubled up to 81.92 s. */
export const DURATION_BUCKETS = Array.from({ length: 14 }, (_, i) => (10 * 2 ** i) / 1000);

/** Powers of 4, 1 to 67108864. */
export const TOKEN_BUCKETS = Array.from({ length: 14 }, (_, i) => 4 ** i);

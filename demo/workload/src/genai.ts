import { type Attributes, type Histogram, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { errorType } from './http.ts';
import type { Model } from './models.ts';
import {
  DURATION_BUCKETS,
  DURATION_METRIC,
  ERROR_TYPE,
  GEN_AI,
  SERVER_ADDRESS,
  SERVER_PORT,
  TOKEN_BUCKETS,
  TOKEN_METRIC,
} from './semconv.ts';
import type { Telemetry } from './telemetry.ts';

/** What a model's response reports. */
export interface Usage {
  responseModel: string | undefined;
  responseId?: string | undefined;
  finishReasons?: string[];
  inputTokens: number;
  /** Embeddings have none. */
  outputTokens?: number;
}

export interface ModelCall {
  operation: 'chat' | 'embeddings';
  model: Model;
  server: URL;
  attributes?: Attributes;
}

export function serverAttributes(server: URL): Attributes {
  return { [SERVER_ADDRESS]: server.hostname, [SERVER_PORT]: Number(server.port || 80) };
}

/** The attributes that span and metrics share. */
export function callAttributes({ operation, model, server }: ModelCall): Attributes {
  return {
    [GEN_AI.operation]: operation,
    [GEN_AI.provider]: model.provider,
    [GEN_AI.requestModel]: model.name,
    ...serverAttributes(server),
  };
}

export function usageAttributes(usage: Usage): Attributes {
  return {
    ...(usage.responseModel ? { [GEN_AI.responseModel]: usage.responseModel } : {}),
    ...(usage.responseId ? { [GEN_AI.responseId]: usage.responseId } : {}),
    ...(usage.finishReasons ? { [GEN_AI.finishReasons]: usage.finishReasons } : {}),
    [GEN_AI.inputTokens]: usage.inputTokens,
    ...(usage.outputTokens === undefined ? {} : { [GEN_AI.outputTokens]: usage.outputTokens }),
  };
}

/** Records a client span and the two client metrics for each call to a model. */
export class GenAiClient {
  readonly #telemetry: Telemetry;
  readonly #duration: Histogram;
  readonly #tokens: Histogram;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
    this.#duration = telemetry.meter.createHistogram(DURATION_METRIC, {
      description: 'GenAI operation duration.',
      unit: 's',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    });
    this.#tokens = telemetry.meter.createHistogram(TOKEN_METRIC, {
      description: 'Number of input and output tokens used.',
      unit: '{token}',
      advice: { explicitBucketBoundaries: TOKEN_BUCKETS },
    });
  }

  async call<T extends Usage>(call: ModelCall, work: () => Promise<T>): Promise<T> {
    const shared = callAttributes(call);
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    try {
      const usage = await this.span(
        `${call.operation} ${call.model.name}`,
        { ...shared, ...call.attributes },
        work,
        usageAttributes,
      );
      const labels = usage.responseModel ? { ...shared, [GEN_AI.responseModel]: usage.responseModel } : shared;
      this.#duration.record(seconds(), labels);
      this.#tokens.record(usage.inputTokens, { ...labels, [GEN_AI.tokenType]: 'input' });
      if (usage.outputTokens !== undefined)
        this.#tokens.record(usage.outputTokens, { ...labels, [GEN_AI.tokenType]: 'output' });
      return usage;
    } catch (error) {
      this.#duration.record(seconds(), { ...shared, [ERROR_TYPE]: errorType(error) });
      throw error;
    }
  }

  /** Runs `work` in a client span. If `work` throws, the span gets status ERROR. */
  span<T>(
    name: string,
    attributes: Attributes,
    work: () => Promise<T>,
    learned: (result: T) => Attributes,
  ): Promise<T> {
    return this.#telemetry.tracer.startActiveSpan(name, { kind: SpanKind.CLIENT, attributes }, async (span) => {
      try {
        const result = await work();
        span.setAttributes(learned(result));
        return result;
      } catch (error) {
        const type = errorType(error);
        span.setAttribute(ERROR_TYPE, type).setStatus({ code: SpanStatusCode.ERROR, message: type });
        throw error;
      } finally {
        span.end();
      }
    });
  }
}

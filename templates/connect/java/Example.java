import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongHistogram;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Scope;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Records one model call with the names of the GenAI semantic conventions. The agent contains SDK and exporters. */
public class Example {
  record Answer(String text, Map<String, Long> tokens) {}

  private static final AttributeKey<String> TOKEN_TYPE = AttributeKey.stringKey("gen_ai.token.type");
  private static final AttributeKey<String> ERROR_TYPE = AttributeKey.stringKey("error.type");
  private static final Meter METER = GlobalOpenTelemetry.getMeter("{{app}}");
  // Bucket boundaries of the conventions. The defaults of the SDK are for milliseconds.
  private static final DoubleHistogram DURATION = METER.histogramBuilder("gen_ai.client.operation.duration").setUnit("s")
      .setExplicitBucketBoundariesAdvice(IntStream.range(0, 14).mapToObj(n -> 0.01 * (1 << n)).toList()).build();
  private static final LongHistogram TOKENS = METER.histogramBuilder("gen_ai.client.token.usage").setUnit("{token}").ofLongs()
      .setExplicitBucketBoundariesAdvice(IntStream.range(0, 14).mapToObj(n -> 1L << 2 * n).toList()).build();

  /** `ask` calls the model and returns the answer and the token counts. */
  static String chat(String model, Supplier<Answer> ask) {
    Attributes who = Attributes.of(
        AttributeKey.stringKey("gen_ai.operation.name"), "chat",
        AttributeKey.stringKey("gen_ai.provider.name"), "openai",
        AttributeKey.stringKey("gen_ai.request.model"), model);
    Attributes failed = Attributes.empty();
    long start = System.nanoTime();
    Span span = GlobalOpenTelemetry.getTracer("{{app}}").spanBuilder("chat " + model).setSpanKind(SpanKind.CLIENT).setAllAttributes(who).startSpan();
    try (Scope scope = span.makeCurrent()) {
      Answer answer = ask.get();
      answer.tokens().forEach((type, count) -> {
        span.setAttribute("gen_ai.usage." + type + "_tokens", count);
        TOKENS.record(count, who.toBuilder().put(TOKEN_TYPE, type).build());
      });
      return answer.text();
    } catch (RuntimeException error) {
      failed = Attributes.of(ERROR_TYPE, error.getClass().getName());
      span.setAllAttributes(failed).setStatus(StatusCode.ERROR);
      throw error;
    } finally {
      DURATION.record((System.nanoTime() - start) / 1e9, who.toBuilder().putAll(failed).build());
      span.end();
    }
  }

  public static void main(String[] args) {
    chat("gpt-4o-mini", () -> new Answer("hello", Map.of("input", 12L, "output", 34L)));
  }
}

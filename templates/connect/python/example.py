"""Records one model call with the names of the GenAI semantic conventions."""

import time

from opentelemetry import metrics, trace
from telemetry import create_span, setup_telemetry

setup_telemetry()
meter = metrics.get_meter("{{app}}")
# Bucket boundaries of the conventions. The defaults of the SDK are for milliseconds.
SECONDS = [0.01 * 2**n for n in range(14)]
duration = meter.create_histogram("gen_ai.client.operation.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS)
TOKENS = [4**n for n in range(14)]
tokens = meter.create_histogram("gen_ai.client.token.usage", unit="{token}", explicit_bucket_boundaries_advisory=TOKENS)


def chat(model, ask):
    """`ask` calls the model and returns the answer and the token counts."""
    who = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    start, failed = time.monotonic(), {}
    with create_span(f"chat {model}", who, trace.SpanKind.CLIENT) as span:
        try:
            answer, used = ask()
            for kind, count in used.items():
                span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
                tokens.record(count, {**who, "gen_ai.token.type": kind})
            return answer
        except Exception as error:
            failed = {"error.type": type(error).__name__}
            span.set_attributes(failed)
            raise
        finally:
            duration.record(time.monotonic() - start, {**who, **failed})


if __name__ == "__main__":
    chat("gpt-4o-mini", lambda: ("hello", {"input": 12, "output": 34}))

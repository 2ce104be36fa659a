"""OpenTelemetry for one process. The OTEL_* variables of the pod set endpoint, service name and attributes."""

import importlib.util
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.{{transport}}.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.{{transport}}.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def setup_telemetry(app=None, service_name=None):
    """Call it once, before the first request. `app`: the FastAPI application, if any."""
    resource = Resource.create({"service.name": service_name} if service_name else {})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(
        MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])
    )
    if app is not None:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app)
    if importlib.util.find_spec("httpx"):
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor().instrument()
    if importlib.util.find_spec("botocore"):
        from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

        BotocoreInstrumentor().instrument()


@contextmanager
def create_span(name, attributes=None, kind=trace.SpanKind.INTERNAL):
    """A span around a block. Skips attributes that are None: the SDK rejects them."""
    given = {key: value for key, value in (attributes or {}).items() if value is not None}
    with trace.get_tracer("{{app}}").start_as_current_span(name, kind=kind, attributes=given) as span:
        yield span

import { context, propagation, type Meter, type Tracer } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Settings } from './settings.ts';

export type Severity = 'INFO' | 'WARN' | 'ERROR';
export type EventFields = Record<string, string | number | boolean | undefined>;

export interface Telemetry {
  tracer: Tracer;
  meter: Meter;
  /** Emits one event as a JSON body; the SDK adds the trace context. Never pass prompts or secrets. */
  log(severity: Severity, event: string, fields: EventFields): void;
  flush(): Promise<void>;
  shutdown(): Promise<void>;
}

export interface Exporters {
  traces: SpanExporter;
  metrics: PushMetricExporter;
  logs: LogRecordExporter;
}

/** Each exporter reads OTEL_EXPORTER_OTLP_ENDPOINT and related variables itself. */
function otlpExporters(): Exporters {
  const options = { timeoutMillis: 5_000 };
  return {
    traces: new OTLPTraceExporter(options),
    metrics: new OTLPMetricExporter(options),
    logs: new OTLPLogExporter(options),
  };
}

export function startTelemetry(settings: Settings, exporters: Exporters = otlpExporters()): Telemetry {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());

  // OTEL_RESOURCE_ATTRIBUTES, set from the downward API, overrides our defaults.
  const resource = defaultResource()
    .merge(
      resourceFromAttributes({
        'service.name': settings.role,
        'service.namespace': 'genai-demo',
        'service.version': settings.version,
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));

  const tracing = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(exporters.traces, { scheduledDelayMillis: 2_000 })],
  });
  const metrics = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: exporters.metrics,
        exportIntervalMillis: settings.metricIntervalMs,
        exportTimeoutMillis: Math.min(5_000, settings.metricIntervalMs),
      }),
    ],
  });
  const logging = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor({ exporter: exporters.logs, scheduledDelayMillis: 2_000 })],
  });

  const scope = 'genai-obs-demo';
  const logger = logging.getLogger(scope, settings.version);
  const providers = [tracing, metrics, logging];
  return {
    tracer: tracing.getTracer(scope, settings.version),
    meter: metrics.getMeter(scope, settings.version),
    log: (severity, event, fields) =>
      logger.emit({
        severityNumber: SeverityNumber[severity],
        severityText: severity,
        body: JSON.stringify({ event, ...fields }),
      }),
    flush: async () => void (await Promise.allSettled(providers.map((provider) => provider.forceFlush()))),
    shutdown: async () => void (await Promise.allSettled(providers.map((provider) => provider.shutdown()))),
  };
}

// OpenTelemetry for one process: node --import ./telemetry.mjs app.mjs
// The OTEL_* variables of the pod set endpoint, service name and attributes.
import { register } from 'node:module';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-{{nodeTransport}}';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-{{nodeTransport}}';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';

// Instruments ES modules.
register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);

const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter(),
  metricReaders: [
    new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter(),
      exportIntervalMillis: Number(process.env.OTEL_METRIC_EXPORT_INTERVAL ?? 30_000),
    }),
  ],
  instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation()],
});
sdk.start();

// Sends queued telemetry before the process exits.
const stop = () => sdk.shutdown().catch((error) => console.error('telemetry was not sent:', error.message));
process.once('SIGTERM', () => stop().then(() => process.exit(0)));
process.once('beforeExit', stop);

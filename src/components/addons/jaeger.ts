import { hashOf } from '../../core/compare.ts';
import type { JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { CATALOG, imageOf } from '../../parts/catalog.ts';
import type { Addon } from '../../parts/types.ts';
import { OWN_LABEL, imageParts } from '../../parts/upstream.ts';

export const jaeger: Addon = {
  id: 'jaeger',
  title: 'Jaeger',
  phase: 'backends',
  chart: 'jaeger',
  release: 'jaeger',
  workloads: () => [CATALOG.jaeger.workload],
  values: (config) => ({
    fullnameOverride: 'jaeger',
    commonLabels: OWN_LABEL,
    // The only storage setting that the chart reads; it ignores all others without an error.
    userconfig: jaegerConfig(config),
    jaeger: {
      image: imageParts(imageOf(CATALOG.jaeger.image, config.global.imageRegistry)),
      podLabels: OWN_LABEL,
      extraEnv: [
        { name: 'GOMEMLIMIT', value: `${Math.floor(memoryOf(config) * 0.85)}MiB` },
        // By default it traces every query, and these traces displace those of applications.
        { name: 'OTEL_TRACES_SAMPLER', value: 'always_off' },
        // Rolls the pod: it mounts the configuration as a single file, which Kubernetes does not update.
        { name: 'CONFIG_HASH', value: hashOf(jaegerConfig(config)) },
        ...credentials(config),
      ],
      resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: `${memoryOf(config)}Mi` } },
    },
  }),
};

function jaegerConfig(config: Config): JsonMap {
  return {
    extensions: {
      // For the probes; the default is localhost.
      healthcheckv2: { use_v2: true, http: { endpoint: '0.0.0.0:13133' } },
      jaeger_query: {
        storage: { traces: 'store' },
        http: { endpoint: '0.0.0.0:16686' },
        grpc: { endpoint: '0.0.0.0:16685' },
      },
      jaeger_storage: { backends: { store: backend(config) } },
    },
    receivers: { otlp: { protocols: { grpc: { endpoint: '0.0.0.0:4317' }, http: { endpoint: '0.0.0.0:4318' } } } },
    processors: { batch: {} },
    exporters: { jaeger_storage_exporter: { trace_storage: 'store' } },
    service: {
      extensions: ['jaeger_storage', 'jaeger_query', 'healthcheckv2'],
      telemetry: {
        resource: { 'service.name': 'jaeger' },
        metrics: { readers: [{ pull: { exporter: { prometheus: { host: '0.0.0.0', port: 8888 } } } }] },
      },
      pipelines: { traces: { receivers: ['otlp'], processors: ['batch'], exporters: ['jaeger_storage_exporter'] } },
    },
  };
}

/** MiB. The store is limited by traces, not bytes: ten gen_ai spans take 15 KiB (measured with 2.13). */
const memoryOf = ({ jaeger: { storage, maxTraces } }: Config): number =>
  storage === 'memory' ? 128 + 64 * Math.ceil((maxTraces * 16) / 1024 / 64) : 512;

function backend(config: Config): JsonMap {
  const { storage, endpoint, secret, maxTraces } = config.jaeger;
  if (storage === 'memory') return { memory: { max_traces: maxTraces } };
  const auth = secret
    ? { auth: { basic: { username: '${env:OPENSEARCH_USERNAME}', password: '${env:OPENSEARCH_PASSWORD}' } } }
    : {};
  return { opensearch: { server_urls: [endpoint], indices: { index_prefix: 'jaeger' }, ...auth } };
}

function credentials({ jaeger: { storage, secret } }: Config): JsonMap[] {
  if (storage === 'memory' || !secret) return [];
  return ['username', 'password'].map((key) => ({
    name: `OPENSEARCH_${key.toUpperCase()}`,
    valueFrom: { secretKeyRef: { name: secret, key } },
  }));
}

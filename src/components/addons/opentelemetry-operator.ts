import { imageOf } from '../../parts/catalog.ts';
import { isEnabled, namespaceOf } from '../../profile/schema.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';

const COLLECTOR = 'ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.158.0';
const MANAGER = 'ghcr.io/open-telemetry/opentelemetry-operator/opentelemetry-operator:0.158.0';

/** Creates collectors from custom resources and injects SDKs; can sign its webhook's certificate itself. */
export const opentelemetryOperator: Addon = {
  id: 'opentelemetry-operator',
  title: 'OpenTelemetry Operator',
  phase: 'operator',
  chart: 'opentelemetry-operator',
  release: 'opentelemetry-operator',
  crds: {
    crds: { create: true },
    manager: { collectorImage: { repository: 'unused' } },
    admissionWebhooks: { certManager: { enabled: false } },
  },
  workloads: () => [{ kind: 'Deployment', name: 'opentelemetry-operator' }],
  needs: (config) => (isEnabled(config, 'cert-manager') ? ['webhook/cert-manager'] : []),
  values: (config) => ({
    fullnameOverride: 'opentelemetry-operator',
    additionalLabels: OWN_LABEL,
    // As part of the release, uninstall would delete the CRDs and with them every collector of the cluster.
    crds: { create: false },
    manager: {
      image: imageOneHost(imageOf(MANAGER, config.global.imageRegistry)),
      collectorImage: imageOneHost(imageOf(COLLECTOR, config.global.imageRegistry)),
    },
    // Keeps an existing certificate: a new one at each upgrade would require a restart.
    admissionWebhooks: {
      certManager: { enabled: isEnabled(config, 'cert-manager') },
      autoGenerateCert: { recreate: false, certPeriodDays: 3650 },
    },
  }),
  conversion: {
    crds: ['opentelemetrycollectors.opentelemetry.io'],
    authority: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      name: 'opentelemetry-operator-mutation',
    },
  },
  webhook: (config) => [
    {
      apiVersion: 'opentelemetry.io/v1beta1',
      kind: 'OpenTelemetryCollector',
      metadata: { name: 'genai-obs-dry-run', namespace: namespaceOf(config, 'opentelemetry-collector') },
      spec: {
        config: {
          receivers: { otlp: { protocols: { grpc: {} } } },
          exporters: { debug: {} },
          service: { pipelines: { logs: { receivers: ['otlp'], exporters: ['debug'] } } },
        },
      },
    },
  ],
};

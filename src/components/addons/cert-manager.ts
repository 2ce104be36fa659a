import { imageOf } from '../../parts/catalog.ts';
import { namespaceOf, type Config } from '../../profile/schema.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { JsonMap } from '../../core/types.ts';
import type { Addon } from '../../parts/types.ts';

const VERSION = 'v1.21.1';
const image = (config: Config, part: string): JsonMap => ({
  image: imageOneHost(imageOf(`quay.io/jetstack/cert-manager-${part}:${VERSION}`, config.global.imageRegistry)),
});

/** Certificates for webhooks and mutual TLS; optional for the operator, which can sign its own. */
export const certManager: Addon = {
  id: 'cert-manager',
  title: 'cert-manager',
  phase: 'operator',
  chart: 'cert-manager',
  release: 'cert-manager',
  crds: { crds: { enabled: true } },
  // One per cluster: an existing one is used if it is recent enough.
  provided: {
    ref: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      name: 'certificates.cert-manager.io',
    },
    version: { label: 'app.kubernetes.io/version', minimum: 'v1.12.0' },
  },
  workloads: () =>
    ['cert-manager', 'cert-manager-cainjector', 'cert-manager-webhook'].map((name) => ({
      kind: 'Deployment' as const,
      name,
    })),
  values: (config) => ({
    fullnameOverride: 'cert-manager',
    global: { commonLabels: OWN_LABEL },
    crds: { enabled: false },
    ...image(config, 'controller'),
    webhook: image(config, 'webhook'),
    cainjector: image(config, 'cainjector'),
    // The engine waits for the webhook with a server dry-run.
    startupapicheck: { enabled: false },
  }),
  webhook: (config) => [
    {
      apiVersion: 'cert-manager.io/v1',
      kind: 'Issuer',
      metadata: { name: 'genai-obs-dry-run', namespace: namespaceOf(config, 'cert-manager') },
      spec: { selfSigned: {} },
    },
  ],
};

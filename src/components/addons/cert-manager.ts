import { imageOf } from '../../parts/catalog.ts';
import { namespaceOf, type Config } from '../../profile/schema.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { JsonMap } from '../../core/types.ts';
import type { Addon } from '../../parts/types.ts';

const VERSION = 'v1.21.1';
const image = (config: Config, part: string): JsonMap => ({
  image: imageOneHost(imageOf(`quay.io/jetstack/cert-manager-${part}:${VERSION}`, config.global.imageRegistry)),
});

/** Certificates for webhooks and mTLS; optional, the operator can sign for itself (upstream.md A.1, row 004-CERT-*). */
export const certManager: Addon = {
  id: 'cert-manager',
  title: 'cert-manager',
  phase: 'operator',
  chart: 'cert-manager',
  release: 'cert-manager',
  crds: { crds: { enabled: true } },
  // One per cluster: one that is there already is used, if it serves what we ask of it.
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
    // The engine waits for the webhook itself, by a server dry-run.
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

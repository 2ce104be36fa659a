import { placeOf } from './catalog.ts';
import type { Component } from './types.ts';
import { OWN_LABEL, checksumAnnotations, imageParts, resourcesOf } from './upstream.ts';

/** The single view (000-COMP-03): datasources, correlations and dashboards come from ConfigMaps. */
export const grafana: Component = {
  id: 'grafana',
  phase: 'grafana',
  needs: ['secret/grafana-admin', 'datasources', 'dashboards'],
  rereads: ['datasources'],
  configure: (base) => base,
  values: (config) => ({ service: { type: config.grafana.service.type } }),
  upstream: {
    // Datasources and dashboards are mounted: no sidecar that asks the API server for every ConfigMap of the cluster (upstream.md A.8).
    grafana: (input) => ({
      fullnameOverride: 'grafana',
      extraLabels: OWN_LABEL,
      podLabels: OWN_LABEL,
      podAnnotations: checksumAnnotations(input),
      image: imageParts(input.image),
      admin: { existingSecret: 'grafana-admin', userKey: 'admin-user', passwordKey: 'admin-password' },
      'grafana.ini': input.configuration,
      // SQLite on one volume: two pods must never hold it at once.
      deploymentStrategy: { type: 'Recreate' },
      persistence: { enabled: input.claim !== '', ...(input.claim ? { existingClaim: input.claim } : {}) },
      initChownData: { enabled: false },
      service: { type: input.config.grafana.service.type, port: placeOf(input.config, 'grafana').service.port },
      extraConfigmapMounts: [
        { name: 'datasources', configMap: 'grafana-datasources', mountPath: '/etc/grafana/provisioning/datasources', readOnly: true },
        { name: 'dashboards-provider', configMap: 'grafana-dashboards-provider', mountPath: '/etc/grafana/provisioning/dashboards', readOnly: true },
        { name: 'dashboards', configMap: 'genai-dashboards', mountPath: '/var/lib/genai-obs/dashboards', readOnly: true },
      ],
      rbac: { create: false },
      testFramework: { enabled: false },
      resources: resourcesOf(input),
    }),
  },
};

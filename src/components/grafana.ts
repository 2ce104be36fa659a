import { stringify } from 'yaml';
import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
import { placed } from '../parts/addresses.ts';
import { placeOf } from '../parts/catalog.ts';
import { set } from '../core/json.ts';
import { PROXY_PORT, proxyContainer, proxyVolumes } from '../parts/grafana/gatewayProxy.ts';
import { ownIngress, upstreamIngress } from '../parts/ingress.ts';
import type { Component } from '../parts/types.ts';
import { OWN_LABEL, checksumAnnotations, imageParts, resourcesOf } from '../parts/upstream.ts';

/** The single view (000-COMP-03): datasources, correlations and dashboards come from ConfigMaps. */
export const grafana: Component = {
  id: 'grafana',
  phase: 'grafana',
  needs: ['secret/grafana-admin', 'datasources', 'dashboards', 'gateway-proxy'],
  rereads: ['datasources'],
  configure: rooted,
  values: (config) => ({
    service: { type: config.grafana.service.type },
    ...ownIngress(config.grafana.ingress),
    ...(config.grafana.contactPoint ? { alerting: contactPoint(config) } : {}),
    ...(config.grafana.gatewayProxy.enabled
      ? { extraContainers: [proxyContainer(config)], extraVolumes: proxyVolumes(), targetPort: 'gateway-proxy' }
      : {}),
  }),
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
      service: {
        type: input.config.grafana.service.type,
        port: placeOf(input.config, 'grafana').service.port,
        ...proxied(input.config).service,
      },
      ...upstreamIngress(input.config.grafana.ingress),
      ...(input.config.grafana.contactPoint ? { alerting: { 'alerting.yaml': contactPoint(input.config) } } : {}),
      ...proxied(input.config).pod,
      extraConfigmapMounts: [
        {
          name: 'datasources',
          configMap: 'grafana-datasources',
          mountPath: '/etc/grafana/provisioning/datasources',
          readOnly: true,
        },
        {
          name: 'dashboards-provider',
          configMap: 'grafana-dashboards-provider',
          mountPath: '/etc/grafana/provisioning/dashboards',
          readOnly: true,
        },
        {
          name: 'dashboards',
          configMap: 'genai-dashboards',
          mountPath: '/var/lib/genai-obs/dashboards',
          readOnly: true,
        },
      ],
      rbac: { create: false },
      testFramework: { enabled: false },
      // Every ten seconds by default: the time that an installation waits for nothing.
      readinessProbe: { periodSeconds: 2, timeoutSeconds: 3 },
      resources: resourcesOf(input),
    }),
  },
};

/** Grafana's alerting provisioning: its alerts go on to Alertmanager, so that no secret of a receiver is needed twice. */
function contactPoint(config: Config): JsonMap {
  const receivers = [
    { uid: 'genai-obs-alertmanager', type: 'prometheus-alertmanager', settings: { url: 'http://alertmanager:9093' } },
  ];
  return placed(
    { apiVersion: 1, contactPoints: [{ orgId: 1, name: 'Alertmanager', receivers }] },
    config,
    placeOf(config, 'grafana').namespace,
  );
}

/** Links in mails and redirects must name the address that people use. */
function rooted(base: JsonMap, config: Config): JsonMap {
  const { host, tlsSecret } = config.grafana.ingress;
  return host ? set(base, ['server', 'root_url'], `${tlsSecret ? 'https' : 'http'}://${host}/`) : base;
}

/** The chart's Service and probes follow one port: that of nginx, which leads to Grafana's. */
function proxied(config: Config): { service: JsonMap; pod: JsonMap } {
  if (!config.grafana.gatewayProxy.enabled) return { service: {}, pod: {} };
  // nginx's own port would have the Service's name for it a second time.
  const { ports: _, ...container } = proxyContainer(config);
  return {
    service: { targetPort: PROXY_PORT },
    pod: { extraContainers: stringify([container]), extraContainerVolumes: proxyVolumes() },
  };
}

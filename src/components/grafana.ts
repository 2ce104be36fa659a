import { stringify } from 'yaml';
import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';
import { withAddresses } from '../parts/addresses.ts';
import { placeOf } from '../parts/catalog.ts';
import { set } from '../core/json.ts';
import { PROXY_PORT, proxyContainer, proxyVolumes } from '../parts/grafana/gatewayProxy.ts';
import { ownIngress, upstreamIngress } from '../parts/ingress.ts';
import type { Component } from '../parts/types.ts';
import { OWN_LABEL, checksumAnnotations, imageParts, resourcesOf } from '../parts/upstream.ts';

/** Datasources, correlations and dashboards come from ConfigMaps. */
export const grafana: Component = {
  id: 'grafana',
  phase: 'grafana',
  needs: ['secret/grafana-admin', 'datasources', 'dashboards', 'gateway-proxy'],
  rereads: ['datasources'],
  configure: withRootUrl,
  values: (config) => ({
    service: { type: config.grafana.service.type },
    ...ownIngress(config.grafana.ingress),
    ...(config.grafana.contactPoint ? { alerting: contactPoint(config) } : {}),
    ...(config.grafana.gatewayProxy.enabled
      ? { extraContainers: [proxyContainer(config)], extraVolumes: proxyVolumes(), targetPort: 'gateway-proxy' }
      : {}),
  }),
  upstream: {
    // Datasources and dashboards are mounted, so that no sidecar has to watch all ConfigMaps of the cluster.
    grafana: (input) => ({
      fullnameOverride: 'grafana',
      extraLabels: OWN_LABEL,
      podLabels: OWN_LABEL,
      podAnnotations: checksumAnnotations(input),
      image: imageParts(input.image),
      admin: { existingSecret: 'grafana-admin', userKey: 'admin-user', passwordKey: 'admin-password' },
      'grafana.ini': input.configuration,
      // SQLite on one volume: never two pods at the same time.
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
      // Every 10 s by default, which would delay install.
      readinessProbe: { periodSeconds: 2, timeoutSeconds: 3 },
      resources: resourcesOf(input),
    }),
  },
};

/** Provisioned contact point: forwards Grafana's alerts to Alertmanager, which holds the receivers' secrets. */
function contactPoint(config: Config): JsonMap {
  const receivers = [
    { uid: 'genai-obs-alertmanager', type: 'prometheus-alertmanager', settings: { url: 'http://alertmanager:9093' } },
  ];
  return withAddresses(
    { apiVersion: 1, contactPoints: [{ orgId: 1, name: 'Alertmanager', receivers }] },
    config,
    placeOf(config, 'grafana').namespace,
  );
}

/** Links in mails and redirects need the external address. */
function withRootUrl(template: JsonMap, config: Config): JsonMap {
  const { host, tlsSecret } = config.grafana.ingress;
  return host ? set(template, ['server', 'root_url'], `${tlsSecret ? 'https' : 'http'}://${host}/`) : template;
}

/** Routes the chart's Service and probes to the port of nginx, which forwards to Grafana. */
function proxied(config: Config): { service: JsonMap; pod: JsonMap } {
  if (!config.grafana.gatewayProxy.enabled) return { service: {}, pod: {} };
  // The chart names the Service's target port itself; a second port of that name is invalid.
  const { ports: _, ...container } = proxyContainer(config);
  return {
    service: { targetPort: PROXY_PORT },
    pod: { extraContainers: stringify([container]), extraContainerVolumes: proxyVolumes() },
  };
}

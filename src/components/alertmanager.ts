import type { Component } from './types.ts';
import { OWN_LABEL, checksumAnnotations, imageOneHost, resourcesOf } from './upstream.ts';

/** Routes alerts to receivers (000-COMP-06). quickstart has none: alerts are seen in its API and in Grafana. */
export const alertmanager: Component = {
  id: 'alertmanager',
  phase: 'alerting',
  needs: [],
  configure: (base) => base,
  upstream: {
    // Receivers and routes come together: lists are replaced whole (upstream.md A.7).
    alertmanager: (input) => ({
      fullnameOverride: 'alertmanager',
      podLabels: OWN_LABEL,
      podAnnotations: checksumAnnotations(input),
      image: imageOneHost(input.image),
      config: { enabled: true, global: null, templates: null, ...input.configuration },
      // The StatefulSet takes the claim of that name, which is there before it.
      persistence: { enabled: input.claim !== '', size: input.config.alertmanager.size },
      // The chart asks for the web page, which says nothing about being ready.
      livenessProbe: { httpGet: { path: '/-/healthy', port: 'http' } },
      readinessProbe: { httpGet: { path: '/-/ready', port: 'http' } },
      resources: resourcesOf(input),
    }),
  },
};

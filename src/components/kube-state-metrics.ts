import type { Component } from '../parts/types.ts';
import { OWN_LABEL, imageParts, resourcesOf } from '../parts/upstream.ts';

/** Classic `kube_*` series of the cluster's state; it has no configuration file. */
export const kubeStateMetrics: Component = {
  id: 'kube-state-metrics',
  phase: 'backends',
  needs: [],
  configure: () => ({}),
  // Scraped by our own job, with the name that dashboards and rules know.
  stack: (input) => ({
    kubeStateMetrics: { enabled: true },
    'kube-state-metrics': {
      image: imageParts(input.image),
      prometheus: { monitor: { enabled: false } },
      resources: resourcesOf(input),
    },
  }),
  upstream: {
    'kube-state-metrics': (input) => ({
      fullnameOverride: 'kube-state-metrics',
      customLabels: OWN_LABEL,
      image: imageParts(input.image),
      // The classic scrape finds it by name; the annotation would have it scraped twice.
      prometheusScrape: false,
      readinessProbe: { initialDelaySeconds: 1, periodSeconds: 2 },
      resources: resourcesOf(input),
    }),
  },
};

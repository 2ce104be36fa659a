import type { Component } from './types.ts';
import { OWN_LABEL, imageParts, resourcesOf } from './upstream.ts';

/** Classic `kube_*` series of the cluster's state; it has no configuration file. */
export const kubeStateMetrics: Component = {
  id: 'kube-state-metrics',
  phase: 'backends',
  needs: [],
  configure: () => ({}),
  upstream: {
    'kube-state-metrics': (input) => ({
      fullnameOverride: 'kube-state-metrics',
      customLabels: OWN_LABEL,
      image: imageParts(input.image),
      // The classic scrape finds it by name; the annotation would have it scraped twice.
      prometheusScrape: false,
      resources: resourcesOf(input),
    }),
  },
};

import type { Component } from '../parts/types.ts';
import { OWN_LABEL, imageParts, resourcesOf } from '../parts/upstream.ts';

export const kubeStateMetrics: Component = {
  id: 'kube-state-metrics',
  phase: 'backends',
  needs: [],
  configure: () => ({}),
  // Our own scrape job has the name that dashboards and rules expect.
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
      // Our own job scrapes it; the annotation would scrape it twice.
      prometheusScrape: false,
      readinessProbe: { initialDelaySeconds: 1, periodSeconds: 2 },
      resources: resourcesOf(input),
    }),
  },
};

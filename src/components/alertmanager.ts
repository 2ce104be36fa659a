import type { Component } from './types.ts';

/** Routes alerts to receivers (000-COMP-06). quickstart has none: alerts are seen in its API and in Grafana. */
export const alertmanager: Component = {
  id: 'alertmanager',
  phase: 'alerting',
  needs: [],
  configure: (base) => base,
};

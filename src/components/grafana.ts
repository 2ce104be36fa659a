import type { Component } from './types.ts';

/** The single view (000-COMP-03): datasources, correlations and dashboards come from ConfigMaps. */
export const grafana: Component = {
  id: 'grafana',
  phase: 'grafana',
  needs: ['secret/grafana-admin', 'datasources', 'dashboards'],
  rereads: ['datasources'],
  configure: (base) => base,
  values: (config) => ({ service: { type: config.grafana.service.type } }),
};

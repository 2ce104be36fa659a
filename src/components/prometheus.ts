import { type ComponentId, isEnabled } from '../profile/schema.ts';
import { listAt, set } from './edit.ts';
import type { Component } from './types.ts';

/** Scrape jobs of components that can be switched off: without this they would be down for ever. */
const JOBS: Record<string, ComponentId> = {
  alertmanager: 'alertmanager',
  loki: 'loki',
  tempo: 'tempo',
  grafana: 'grafana',
  'kube-state-metrics': 'kube-state-metrics',
};

/** Metric storage and rule evaluation (000-COMP-02). */
export const prometheus: Component = {
  id: 'prometheus',
  phase: 'backends',
  needs: ['rules'],
  rereads: ['rules'],
  configure(base, config) {
    const jobs = listAt(base, 'scrape_configs').filter((job) => {
      const owner = JOBS[(job as { job_name: string }).job_name];
      return !owner || isEnabled(config, owner);
    });
    const labels = { cluster: config.global.clusterName, environment: config.global.environment };
    const out = set(set(base, ['scrape_configs'], jobs), ['global', 'external_labels'], labels);
    return config.alertmanager.enabled ? out : set(out, ['alerting'], undefined);
  },
  values: (config) => ({ retention: config.prometheus.server.retention }),
};

import { set } from './edit.ts';
import type { Component } from './types.ts';

/** Logs, monolithic on a claim (000-COMP-05). */
export const loki: Component = {
  id: 'loki',
  phase: 'backends',
  needs: [],
  configure: (base, config) => set(base, ['limits_config', 'retention_period'], config.loki.retention),
};

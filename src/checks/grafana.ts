import type { Check } from '../doctor/types.ts';
import { dashboardChecks } from './grafana/dashboards.ts';
import { datasourceChecks } from './grafana/datasources.ts';
import { accessChecks } from './grafana/access.ts';

/** GRAF-01 to GRAF-18, by number. */
export const grafanaChecks: Check[] = [...accessChecks, ...datasourceChecks, ...dashboardChecks].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);

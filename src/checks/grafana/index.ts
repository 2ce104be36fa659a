import { type Check } from '../lib/check.ts';
import { dashboardChecks } from './dashboards.ts';
import { datasourceChecks } from './datasources.ts';
import { accessChecks } from './access.ts';

/** GRAF-01 to GRAF-18, by number. */
export const grafanaChecks: Check[] = [...accessChecks, ...datasourceChecks, ...dashboardChecks].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);

import { accessChecks } from './access.ts';
import { datasourceChecks } from './datasources.ts';
import type { Check } from '../lib/check.ts';
import { dashboardChecks } from './dashboards.ts';
import { serverChecks } from './server.ts';
import { linkChecks } from './links.ts';

export const grafanaChecks: Check[] = [
  ...dashboardChecks,
  ...datasourceChecks,
  ...accessChecks,
  ...serverChecks,
  ...linkChecks,
];

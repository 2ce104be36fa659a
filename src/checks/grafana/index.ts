import { accessChecks } from './access.ts';
import { datasourceChecks } from './datasources.ts';
import type { Area } from '../lib/check.ts';
import { dashboardChecks } from './dashboards.ts';
import { serverChecks } from './server.ts';
import { linkChecks } from './links.ts';

export const grafanaArea: Area = {
  id: 'GRAF',
  title: 'Grafana',
  about: 'Datasources, correlations and dashboards.',
  checks: [...dashboardChecks, ...datasourceChecks, ...accessChecks, ...serverChecks, ...linkChecks],
};

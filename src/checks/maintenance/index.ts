import type { Area } from '../lib/check.ts';
import { baselineChecks } from './baseline.ts';
import { dataChecks } from './data.ts';
import { releaseChecks } from './releases.ts';

export const maintenanceArea: Area = {
  id: 'MNT',
  title: 'Maintenance',
  about: 'The installation itself: drift from the plan, versions and leftovers.',
  checks: [...baselineChecks, ...dataChecks, ...releaseChecks],
};

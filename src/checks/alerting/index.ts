import { type Check } from '../lib/check.ts';
import { alertmanagerChecks } from './alertmanager.ts';
import { alertRuleChecks } from './rules.ts';

/** ALRT-01 to ALRT-11, by number. */
export const alertingChecks: Check[] = [...alertmanagerChecks, ...alertRuleChecks].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);

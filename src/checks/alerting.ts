import type { Check } from '../doctor/types.ts';
import { alertmanagerChecks } from './alerting/alertmanager.ts';
import { alertRuleChecks } from './alerting/rules.ts';

/** ALRT-01 to ALRT-11, by number. */
export const alertingChecks: Check[] = [...alertmanagerChecks, ...alertRuleChecks].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);

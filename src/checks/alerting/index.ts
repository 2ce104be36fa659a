import { alertmanagerChecks } from './alertmanager.ts';
import type { Check } from '../lib/check.ts';
import { alertRuleChecks } from './rules.ts';
import { notificationChecks } from './notifications.ts';

export const alertingChecks: Check[] = [...alertmanagerChecks, ...alertRuleChecks, ...notificationChecks];

import { alertmanagerChecks } from './alertmanager.ts';
import type { Area } from '../lib/check.ts';
import { alertRuleChecks } from './rules.ts';
import { notificationChecks } from './notifications.ts';

export const alertingArea: Area = {
  id: 'ALRT',
  title: 'Alerting',
  about: 'Rules, routes and notifications.',
  checks: [...alertmanagerChecks, ...alertRuleChecks, ...notificationChecks],
};

import type { Check } from '../doctor/types.ts';
import { preflightChecks } from './preflight.ts';
import { cloudChecks } from './preflight/cloud.ts';
import { k3sChecks } from './k3s.ts';
import { collectorChecks } from './collectors.ts';
import { prometheusChecks } from './prometheus.ts';
import { lokiChecks } from './loki.ts';
import { tempoChecks } from './tempo.ts';
import { jaegerChecks } from './jaeger.ts';
import { grafanaChecks } from './grafana.ts';
import { alertingChecks } from './alerting.ts';
import { securityChecks } from './security.ts';
import { maintenanceChecks } from './maintenance.ts';
import { endToEndChecks } from './end-to-end.ts';

/** Every check of the doctor: add an area here. */
export const CHECKS: Check[] = [
  ...preflightChecks,
  ...cloudChecks,
  ...k3sChecks,
  ...collectorChecks,
  ...prometheusChecks,
  ...lokiChecks,
  ...tempoChecks,
  ...jaegerChecks,
  ...grafanaChecks,
  ...alertingChecks,
  ...securityChecks,
  ...maintenanceChecks,
  ...endToEndChecks,
];

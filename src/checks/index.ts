import { type Check } from './lib/check.ts';
import { preflightChecks } from './preflight/index.ts';
import { cloudChecks } from './cloud.ts';
import { k3sChecks } from './k3s.ts';
import { collectorChecks } from './collectors/index.ts';
import { prometheusChecks } from './prometheus/index.ts';
import { lokiChecks } from './loki/index.ts';
import { tempoChecks } from './tempo/index.ts';
import { jaegerChecks } from './jaeger.ts';
import { grafanaChecks } from './grafana/index.ts';
import { alertingChecks } from './alerting/index.ts';
import { securityChecks } from './security/index.ts';
import { maintenanceChecks } from './maintenance/index.ts';
import { endToEndChecks } from './end-to-end.ts';

const byId = (a: Check, b: Check): number => a.id.localeCompare(b.id);

/** Every check of the doctor: an area of checks is a file or folder here, and a line in this list. */
export const CHECKS: Check[] = [
  preflightChecks,
  cloudChecks,
  k3sChecks,
  collectorChecks,
  prometheusChecks,
  lokiChecks,
  tempoChecks,
  jaegerChecks,
  grafanaChecks,
  alertingChecks,
  securityChecks,
  maintenanceChecks,
  endToEndChecks,
].flatMap((area) => area.toSorted(byId));

import type { Area, Check } from './lib/check.ts';
import { preflightArea } from './preflight/index.ts';
import { k3sArea } from './k3s.ts';
import { collectorArea } from './collectors/index.ts';
import { prometheusArea } from './prometheus/index.ts';
import { lokiArea } from './loki/index.ts';
import { tempoArea } from './tempo/index.ts';
import { jaegerArea } from './jaeger.ts';
import { grafanaArea } from './grafana/index.ts';
import { alertingArea } from './alerting/index.ts';
import { securityArea } from './security/index.ts';
import { cloudArea } from './cloud.ts';
import { maintenanceArea } from './maintenance/index.ts';
import { endToEndArea } from './end-to-end.ts';

const byId = (a: Check, b: Check): number => a.id.localeCompare(b.id);

/** Areas in the order of the report: a new one is a file or folder here, and a line in this list. */
export const AREAS: Area[] = [
  preflightArea,
  k3sArea,
  collectorArea,
  prometheusArea,
  lokiArea,
  tempoArea,
  jaegerArea,
  grafanaArea,
  alertingArea,
  securityArea,
  cloudArea,
  maintenanceArea,
  endToEndArea,
];

/** Every check of the doctor. */
export const CHECKS: Check[] = AREAS.flatMap(({ checks }) => checks.toSorted(byId));

import { alertmanagerStore } from './alertmanager.ts';
import { configurationStore } from './configuration.ts';
import { grafanaStore } from './grafana/index.ts';
import { jaegerStore } from './jaeger.ts';
import { prometheusStore } from './prometheus.ts';
import { secretsStore } from './secrets.ts';
import { lokiStore, tempoStore } from './volumes.ts';
import type { Store } from '../types.ts';

/** Every store, in the order of a restore (004-BAK-04): what others read comes first. */
export const STORES: Store[] = [
  configurationStore,
  prometheusStore,
  lokiStore,
  tempoStore,
  jaegerStore,
  alertmanagerStore,
  grafanaStore,
  secretsStore,
];

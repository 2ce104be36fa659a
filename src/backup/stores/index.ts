import { alertmanagerStore } from './alertmanager.ts';
import { configurationStore } from './configuration.ts';
import { grafanaStore } from './grafana/index.ts';
import { jaegerStore } from './jaeger.ts';
import { prometheusStore } from './prometheus.ts';
import { secretsStore } from './secrets.ts';
import { lokiStore, tempoStore } from './volumes.ts';
import type { Store } from '../types.ts';

/** Every store, in the order of a restore: Grafana comes after the backends that its datasources query. */
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

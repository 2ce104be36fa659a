import type { Check } from '../doctor/types.ts';
import { dataChecks } from './prometheus/data.ts';
import { ruleChecks } from './prometheus/rules.ts';
import { serverChecks } from './prometheus/server.ts';
import { targetChecks } from './prometheus/targets.ts';

/** PROM-01 to PROM-22, by number. */
export const prometheusChecks: Check[] = [...serverChecks, ...targetChecks, ...ruleChecks, ...dataChecks].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);

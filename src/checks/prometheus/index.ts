import { type Check } from '../lib/check.ts';
import { dataChecks } from './data.ts';
import { ruleChecks } from './rules.ts';
import { serverChecks } from './server.ts';
import { targetChecks } from './targets.ts';

/** PROM-01 to PROM-22, by number. */
export const prometheusChecks: Check[] = [...serverChecks, ...targetChecks, ...ruleChecks, ...dataChecks].sort((a, b) =>
  a.id < b.id ? -1 : 1,
);

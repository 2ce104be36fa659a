import type { Area } from '../lib/check.ts';
import { dataChecks } from './data.ts';
import { ruleChecks } from './rules.ts';
import { serverChecks } from './server.ts';
import { targetChecks } from './targets.ts';

export const prometheusArea: Area = {
  id: 'PROM',
  title: 'Prometheus',
  about: 'Metrics and rules.',
  checks: [...dataChecks, ...ruleChecks, ...serverChecks, ...targetChecks],
};

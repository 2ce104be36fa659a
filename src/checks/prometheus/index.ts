import type { Check } from '../lib/check.ts';
import { dataChecks } from './data.ts';
import { ruleChecks } from './rules.ts';
import { serverChecks } from './server.ts';
import { targetChecks } from './targets.ts';

export const prometheusChecks: Check[] = [...dataChecks, ...ruleChecks, ...serverChecks, ...targetChecks];

import type { Check } from '../lib/check.ts';
import { configurationChecks } from './configuration.ts';
import { entryChecks } from './entry.ts';
import { flowChecks } from './flow.ts';
import { samplingChecks } from './sampling.ts';
import { wiringChecks } from './wiring.ts';
import { workloadChecks } from './workloads.ts';
import { rightsChecks } from './rights.ts';
import { scalingChecks } from './scaling.ts';

export const collectorChecks: Check[] = [
  ...configurationChecks,
  ...entryChecks,
  ...flowChecks,
  ...samplingChecks,
  ...wiringChecks,
  ...workloadChecks,
  ...rightsChecks,
  ...scalingChecks,
];

import { type Check } from '../lib/check.ts';
import { configurationChecks } from './configuration.ts';
import { entryChecks } from './entry.ts';
import { flowChecks } from './flow.ts';
import { samplingChecks } from './sampling.ts';
import { wiringChecks } from './wiring.ts';
import { workloadChecks } from './workloads.ts';

/** COL-01 to COL-25, by number. */
export const collectorChecks: Check[] = [
  ...workloadChecks,
  ...configurationChecks,
  ...entryChecks,
  ...flowChecks,
  ...samplingChecks,
  ...wiringChecks,
].sort((a, b) => (a.id < b.id ? -1 : 1));

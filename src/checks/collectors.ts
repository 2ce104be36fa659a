import type { Check } from '../doctor/types.ts';
import { configurationChecks } from './collectors/configuration.ts';
import { entryChecks } from './collectors/entry.ts';
import { flowChecks } from './collectors/flow.ts';
import { samplingChecks } from './collectors/sampling.ts';
import { wiringChecks } from './collectors/wiring.ts';
import { workloadChecks } from './collectors/workloads.ts';

/** COL-01 to COL-25, by number. */
export const collectorChecks: Check[] = [
  ...workloadChecks,
  ...configurationChecks,
  ...entryChecks,
  ...flowChecks,
  ...samplingChecks,
  ...wiringChecks,
].sort((a, b) => (a.id < b.id ? -1 : 1));

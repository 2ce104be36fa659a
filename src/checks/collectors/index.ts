import type { Area } from '../lib/check.ts';
import { configurationChecks } from './configuration.ts';
import { entryChecks } from './entry.ts';
import { flowChecks } from './flow.ts';
import { samplingChecks } from './sampling.ts';
import { wiringChecks } from './wiring.ts';
import { workloadChecks } from './workloads.ts';
import { rightsChecks } from './rights.ts';
import { scalingChecks } from './scaling.ts';

export const collectorArea: Area = {
  id: 'COL',
  title: 'Collectors',
  about: 'Gateway, node and cluster collectors, which receive all telemetry.',
  checks: [
    ...configurationChecks,
    ...entryChecks,
    ...flowChecks,
    ...samplingChecks,
    ...wiringChecks,
    ...workloadChecks,
    ...rightsChecks,
    ...scalingChecks,
  ],
};

import { backendFaults } from './backends.ts';
import { collectorFaults } from './collectors.ts';
import { grafanaFaults } from './grafana.ts';
import type { Fault } from './types.ts';

export type { Fault } from './types.ts';
export const FAULTS: Fault[] = [...collectorFaults, ...backendFaults, ...grafanaFaults];

import type { Check } from '../doctor/types.ts';
import { baselineChecks } from './maintenance/baseline.ts';
import { dataChecks } from './maintenance/data.ts';
import { releaseChecks } from './maintenance/releases.ts';

const all = [...baselineChecks, ...dataChecks, ...releaseChecks];

/** MNT-01 to MNT-07 of appendix 1, and MNT-08 of our own; in the order of their ids. */
export const maintenanceChecks: Check[] = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));

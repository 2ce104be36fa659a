import { type Check } from '../lib/check.ts';
import { baselineChecks } from './baseline.ts';
import { dataChecks } from './data.ts';
import { releaseChecks } from './releases.ts';

const all = [...baselineChecks, ...dataChecks, ...releaseChecks];

/** MNT-01 to MNT-07 of appendix 1, and MNT-08 of our own; in the order of their ids. */
export const maintenanceChecks: Check[] = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));

import type { Check } from '../doctor/types.ts';
import { clusterChecks } from './preflight/cluster.ts';
import { networkChecks } from './preflight/network.ts';
import { resourceChecks } from './preflight/resources.ts';
import { rightsChecks } from './preflight/rights.ts';
import { storageChecks } from './preflight/storage.ts';
import { toolChecks } from './preflight/tools.ts';

const all = [...toolChecks, ...clusterChecks, ...resourceChecks, ...storageChecks, ...networkChecks, ...rightsChecks];

/** PRE-01 to PRE-28 of appendix 1, and PRE-29 of our own; in the order of their ids. */
export const preflightChecks: Check[] = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));

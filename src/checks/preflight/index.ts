import { type Check } from '../lib/check.ts';
import { clusterChecks } from './cluster.ts';
import { networkChecks } from './network.ts';
import { resourceChecks } from './resources.ts';
import { rightsChecks } from './rights.ts';
import { storageChecks } from './storage.ts';
import { toolChecks } from './tools.ts';

const all = [...toolChecks, ...clusterChecks, ...resourceChecks, ...storageChecks, ...networkChecks, ...rightsChecks];

/** PRE-01 to PRE-28 of appendix 1, and PRE-29 of our own; in the order of their ids. */
export const preflightChecks: Check[] = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));

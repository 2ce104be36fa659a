import { type Check } from '../lib/check.ts';
import { exposureChecks } from './exposure.ts';
import { rightsChecks } from './rights.ts';
import { secretChecks } from './secrets.ts';

const all = [...exposureChecks, ...rightsChecks, ...secretChecks];

/** SEC-01 to SEC-08 of appendix 1, in the order of their ids. */
export const securityChecks: Check[] = all.toSorted((a, b) => (a.id < b.id ? -1 : 1));

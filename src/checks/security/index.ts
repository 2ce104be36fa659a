import type { Check } from '../lib/check.ts';
import { exposureChecks } from './exposure.ts';
import { rightsChecks } from './rights.ts';
import { secretChecks } from './secrets.ts';

export const securityChecks: Check[] = [...exposureChecks, ...rightsChecks, ...secretChecks];

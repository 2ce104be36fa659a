import type { Check } from '../lib/check.ts';
import { baselineChecks } from './baseline.ts';
import { dataChecks } from './data.ts';
import { releaseChecks } from './releases.ts';

export const maintenanceChecks: Check[] = [...baselineChecks, ...dataChecks, ...releaseChecks];

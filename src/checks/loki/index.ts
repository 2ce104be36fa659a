import type { Check } from '../lib/check.ts';
import { serverChecks } from './server.ts';
import { intakeChecks } from './intake.ts';

export const lokiChecks: Check[] = [...serverChecks, ...intakeChecks];

import type { Area } from '../lib/check.ts';
import { serverChecks } from './server.ts';
import { intakeChecks } from './intake.ts';

export const lokiArea: Area = {
  id: 'LOKI',
  title: 'Loki',
  about: 'Logs.',
  checks: [...serverChecks, ...intakeChecks],
};

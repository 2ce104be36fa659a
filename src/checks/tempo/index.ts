import type { Check } from '../lib/check.ts';
import { serverChecks } from './server.ts';
import { traceChecks } from './traces.ts';

export const tempoChecks: Check[] = [...serverChecks, ...traceChecks];

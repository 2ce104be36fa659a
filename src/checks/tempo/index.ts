import type { Area } from '../lib/check.ts';
import { serverChecks } from './server.ts';
import { traceChecks } from './traces.ts';

export const tempoArea: Area = {
  id: 'TEMPO',
  title: 'Tempo',
  about: 'Traces.',
  checks: [...serverChecks, ...traceChecks],
};

import type { Area } from '../lib/check.ts';
import { clusterChecks } from './cluster.ts';
import { networkChecks } from './network.ts';
import { resourceChecks } from './resources.ts';
import { rightsChecks } from './rights.ts';
import { storageChecks } from './storage.ts';
import { toolChecks } from './tools.ts';

export const preflightArea: Area = {
  id: 'PRE',
  title: 'Cluster and machine',
  about:
    'What an installation needs. `genai-obs doctor --stage preflight` runs only these; ' +
    '`genai-obs install` runs them first.',
  checks: [...clusterChecks, ...networkChecks, ...resourceChecks, ...rightsChecks, ...storageChecks, ...toolChecks],
};

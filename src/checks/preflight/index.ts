import type { Check } from '../lib/check.ts';
import { clusterChecks } from './cluster.ts';
import { networkChecks } from './network.ts';
import { resourceChecks } from './resources.ts';
import { rightsChecks } from './rights.ts';
import { storageChecks } from './storage.ts';
import { toolChecks } from './tools.ts';

export const preflightChecks: Check[] = [
  ...clusterChecks,
  ...networkChecks,
  ...resourceChecks,
  ...rightsChecks,
  ...storageChecks,
  ...toolChecks,
];

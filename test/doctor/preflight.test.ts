import { preflightChecks } from '../../src/checks/preflight.ts';
import { describeArea } from './support.ts';

describeArea('preflight', preflightChecks);

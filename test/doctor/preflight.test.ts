import { preflightChecks } from '../../src/checks/preflight/index.ts';
import { describeArea } from './support.ts';

describeArea('preflight', preflightChecks);

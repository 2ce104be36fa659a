import { preflightArea } from '../../src/checks/preflight/index.ts';
import { describeArea } from './support.ts';

describeArea('preflight', preflightArea.checks);

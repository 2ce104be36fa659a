import { cloudChecks } from '../../src/checks/preflight/cloud.ts';
import { describeArea } from './support.ts';

describeArea('cloud', cloudChecks);

import { securityArea } from '../../src/checks/security/index.ts';
import { describeArea } from './support.ts';

describeArea('security', securityArea.checks);

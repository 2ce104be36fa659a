import { securityChecks } from '../../src/checks/security.ts';
import { describeArea } from './support.ts';

describeArea('security', securityChecks);

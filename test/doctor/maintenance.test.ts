import { maintenanceChecks } from '../../src/checks/maintenance/index.ts';
import { describeArea } from './support.ts';

describeArea('maintenance', maintenanceChecks);

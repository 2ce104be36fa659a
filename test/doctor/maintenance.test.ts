import { maintenanceChecks } from '../../src/checks/maintenance.ts';
import { describeArea } from './support.ts';

describeArea('maintenance', maintenanceChecks);

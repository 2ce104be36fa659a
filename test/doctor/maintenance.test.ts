import { maintenanceArea } from '../../src/checks/maintenance/index.ts';
import { describeArea } from './support.ts';

describeArea('maintenance', maintenanceArea.checks);

import { k3sArea } from '../../src/checks/k3s.ts';
import { describeArea } from './support.ts';

describeArea('k3s', k3sArea.checks);

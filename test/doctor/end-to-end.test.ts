import { endToEndArea } from '../../src/checks/end-to-end.ts';
import { describeArea } from './support.ts';

describeArea('end-to-end', endToEndArea.checks);

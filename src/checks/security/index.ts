import type { Area } from '../lib/check.ts';
import { exposureChecks } from './exposure.ts';
import { rightsChecks } from './rights.ts';
import { secretChecks } from './secrets.ts';

export const securityArea: Area = {
  id: 'SEC',
  title: 'Security',
  about: 'Passwords, permissions and exposed endpoints.',
  checks: [...exposureChecks, ...rightsChecks, ...secretChecks],
};

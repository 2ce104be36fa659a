import type { JsonMap } from '../core/types.ts';
import type { ComponentId, Config } from '../profile/schema.ts';

export type Phase =
  | 'preflight'
  | 'namespaces'
  | 'secrets'
  | 'storage'
  | 'backends'
  | 'collectors'
  | 'grafana'
  | 'datasources'
  | 'dashboards'
  | 'alerting'
  | 'verify';

/** In the order in which they are shown; what may run in parallel is decided by each step's needs. */
export const PHASES: Phase[] = [
  'preflight',
  'namespaces',
  'secrets',
  'storage',
  'backends',
  'collectors',
  'grafana',
  'datasources',
  'dashboards',
  'alerting',
  'verify',
];

/**
 * One component: how its base configuration (templates/<id>/config.yaml) is adapted to the profile.
 * Names, image and ports stand in catalog.ts; the chart is templates/<id>/.
 */
export interface Component {
  id: ComponentId;
  phase: Phase;
  /** Steps (besides the namespace and its claim) whose objects the pods mount. */
  needs: string[];
  /** Those of them that its program reads only when it starts: one that was edited by hand and is put back needs a restart. */
  rereads?: string[];
  configure: (base: JsonMap, config: Config) => JsonMap;
  /** Further chart values. */
  values?: (config: Config) => JsonMap;
}

import type { KubeObject } from '../../src/core/types.ts';

export interface WorkloadOptions {
  namespace?: string;
  otlpEndpoint: string;
  script: string;
  image?: string;
  rate?: number;
}
export function workloadObjects(options: WorkloadOptions): KubeObject[];

import type { Kube } from '../../adapters/kube.ts';
import type { Config } from '../../profile/schema.ts';
import type { Grafana } from '../../adapters/grafana.ts';

export interface ProbeOptions {
  kube: Kube;
  config: Config;
  grafana: () => Promise<Grafana>;
  signal: AbortSignal;
  onStep?: (text: string) => void;
  /** Milliseconds that one hop may take; default 30 000. */
  deadline?: number;
}

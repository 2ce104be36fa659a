import type { Kube } from '../../adapters/kube.ts';
import type { Config } from '../../profile/schema.ts';
import type { Grafana } from '../../adapters/grafana.ts';

export type Signal = 'trace' | 'metric' | 'log' | 'link';

/** One stretch of the way: sent or read, with the time it took. */
export interface Hop {
  id: string;
  signal: Signal;
  /** For people: `gateway → Tempo`. */
  path: string;
  status: 'ok' | 'broken' | 'skipped';
  /** Milliseconds from the end of the hop before. */
  ms: number;
  detail: string;
  cause?: string;
  fix?: string;
}

export interface ProbeResult {
  nonce: string;
  traceId: string;
  startedAt: string;
  ms: number;
  hops: Hop[];
  /** Id of the first hop that broke, in the order in which data flows. */
  firstBroken?: string;
  /** What of the trace came back from where traces are stored. */
  trace?: { spans: number; missingAttributes: string[]; connected: boolean };
  /** `jaeger`: only where that stores the traces. */
  cleanup: { ok: boolean; prometheus: string; loki: string; tempo: string; jaeger?: string };
}

export interface ProbeOptions {
  kube: Kube;
  config: Config;
  grafana: () => Promise<Grafana>;
  signal: AbortSignal;
  onStep?: (text: string) => void;
  /** Milliseconds that one hop may take; default 30 000. */
  deadline?: number;
}

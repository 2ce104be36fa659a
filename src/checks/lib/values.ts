/** Values of facts whose form is ours; collectors write them and checks read them. */

/** Answer of an HTTP API; the body is parsed when it is JSON. */
export interface Answer {
  status: number;
  body: unknown;
}

export interface Sample {
  metric: Record<string, string>;
  value: number;
}

/** Last lines of each `pod/container`. */
export type Logs = Record<string, string[]>;

/** `status` of /readyz; 0 when the API server does not answer. */
export interface ApiServer {
  status: number;
  server?: string;
  context?: string;
  error?: string;
}

export interface FileSystem {
  availableBytes?: number;
  usedBytes?: number;
  capacityBytes?: number;
}

/** A kubelet's stats/summary of our pods and of volumes with a claim; `error` when it does not answer. */
export interface KubeletStats {
  node?: { fs?: FileSystem };
  pods?: {
    podRef?: { name: string; namespace: string };
    volume?: (FileSystem & { pvcRef?: { name: string; namespace: string } })[];
  }[];
  error?: string;
}

export interface HelmRelease {
  name: string;
  /** Absent in files of older versions: the home namespace. */
  namespace?: string;
  revision: number;
  status: string;
}

/** A field of a live object that differs from the plan; without a path the object itself does. */
export interface DriftRow {
  object: string;
  path: string;
  from: string;
  to: string;
}

/** Clocks of nodes and API server against this machine's: milliseconds, their accuracy, and how each was measured. */
export interface Clocks {
  skewMs: Record<string, number>;
  withinMs: Record<string, number>;
  how: Record<string, string>;
}

/** Answer to an empty write to Grafana Cloud; `missing`: the variable that has no value, so that nothing was sent. */
export interface CloudWrite {
  url: string;
  status?: number;
  text?: string;
  missing?: string;
}

/** Service name and metric of the probe; no application uses them. */
export const PROBE_SERVICE = 'genai-obs-probe';
export const PROBE_METRIC = 'genai_obs_probe';

/** One stretch of the probe's way: sent or read, with the time that it took. */
export interface Hop {
  id: string;
  signal: 'trace' | 'metric' | 'log' | 'link';
  /** For people: `gateway → Tempo`. */
  path: string;
  status: 'ok' | 'broken' | 'skipped';
  /** Milliseconds since the end of the hop before. */
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
  /** The trace as it was read back. */
  trace?: { spans: number; missingAttributes: string[]; connected: boolean };
  /** `jaeger`: only where it stores the traces. */
  cleanup: { ok: boolean; prometheus: string; loki: string; tempo: string; jaeger?: string };
}

/** What collectors write in place of anything that looks like a secret. */
export const SECRET_MARK = /\[secret:([A-Za-z ]+)\]/;
